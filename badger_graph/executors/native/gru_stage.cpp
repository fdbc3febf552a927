// One communication round of the gated recurrent policy as two operators, forward and backward.
//
//   u_j = tanh(W1 h_j + b1),  m_j = W2 u_j + b2,  a_i = sum_{j -> i} c_ji m_j,
//   x_i = [a_i, percept_i, identifier_i],  h'_i = GRU(x_i, h_i),  y_i = w . h'_i + b
//
// Experts are cut into chunks, shared out among threads, and chunks into tiles that stay in the
// first-level cache. Forward is two passes over the tiles: messages; then gather, gates and update
// in registers. Backward is two passes again: gradients of the gates; then, gathered along the
// reversed edges, those of the messages. A small stage keeps a trace of what forward computed, a
// large one computes it again. Sums over experts are made chunk by chunk, so that they have the same
// bits for any number of threads.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/TensorSubclassLikeUtils.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <array>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "tiles.h"

namespace badger_graph {
namespace {

using at::Tensor;

constexpr int64_t TILE = 32;
constexpr int64_t CHUNK = 512;
constexpr int64_t MOST_CHUNKS = 64;

// Up to so many experts, what they received and their gates are kept for the backward pass: that
// takes less time than computing them again, but 6 times the memory of the states alone.
constexpr int64_t KEPT_UP_TO = 8192;

// The order of the gates in a row. The state works on the first three, the input on the last three.
enum Gate { STATE_NEW, RESET, UPDATE, INPUT_NEW, GATES };

struct Sizes {
  int64_t experts, hidden, message, percept, identifier, inner;

  int64_t inputs() const {
    return message + percept + identifier;
  }
};

struct Chunks {
  int64_t count, size;

  explicit Chunks(int64_t experts) {
    size = std::max(CHUNK, (experts + MOST_CHUNKS - 1) / MOST_CHUNKS);
    size = (size + TILE - 1) / TILE * TILE;
    count = (experts + size - 1) / size;
  }
};

// Shares the chunks out among the threads: body(first chunk, last chunk).
template <typename Body>
void for_chunks(const Chunks& chunks, const Body& body) {
  at::parallel_for(0, chunks.count, 1, body);
}

// Calls body(first expert, number of experts, chunk) for every tile of some chunks.
template <typename Body>
void for_tiles(
    const Chunks& chunks, int64_t from_chunk, int64_t to_chunk, int64_t experts, const Body& body) {
  for (int64_t chunk = from_chunk; chunk < to_chunk; ++chunk) {
    const int64_t end = std::min((chunk + 1) * chunks.size, experts);
    for (int64_t first = chunk * chunks.size; first < end; first += TILE)
      body(first, std::min(TILE, end - first), chunk);
  }
}

template <typename T>
ConstRows<T> rows_of(const Tensor& tensor) {
  return {tensor.const_data_ptr<T>(), tensor.size(1), tensor.size(1)};
}

template <typename T>
Rows<T> mutable_rows_of(const Tensor& tensor) {
  if (!tensor.defined()) return {nullptr, 0, 0};
  return {tensor.data_ptr<T>(), tensor.size(1), tensor.size(1)};
}

// Rows that lie one after the other, handed out piece by piece.
template <typename T>
struct Pieces {
  T* next;

  Rows<T> rows(int64_t count, int64_t size) {
    Rows<T> rows{next, size, size};
    next += count * size;
    return rows;
  }
};

// A tensor of all experts that lives from one operator to the next: given back in between, blocks so
// large would leave holes in the heap, one for every round.
Tensor workspace(int slot, int64_t rows, int64_t columns, const at::TensorOptions& options) {
  static thread_local Tensor kept[2];
  Tensor& tensor = kept[slot];
  if (!tensor.defined() || tensor.numel() != rows * columns ||
      tensor.scalar_type() != c10::typeMetaToScalarType(options.dtype()))
    tensor = at::empty({rows * columns}, options);
  return tensor.view({rows, columns});
}

// What a thread works on.
template <typename T>
class Scratch {
 public:
  explicit Scratch(int64_t row_size)
      : memory_(at::empty({TILE, row_size}, c10::CppTypeToScalarType<T>::value)),
        pieces_{memory_.data_ptr<T>()} {}

  Rows<T> tile(int64_t size) {
    return pieces_.rows(TILE, size);
  }

 private:
  Tensor memory_;
  Pieces<T> pieces_;
};

// The weights as `pack` in stage.py lays them out for the products of the forward pass, or their
// gradients.
template <typename T>
struct Packed {
  Rows<T> w1, b1, w2, b2, state_gates, input_gates, bias, readout, readout_bias;

  static int64_t numel(const Sizes& s) {
    const int64_t H = padded(s.hidden), M = padded(s.message), U = padded(s.inner);
    return (s.hidden + 1) * U + (s.inner + 1) * M + (s.hidden + s.inputs()) * 3 * H + GATES * H +
        H + PADDED_TO;
  }

  Packed(const Sizes& s, T* data) {
    const int64_t H = padded(s.hidden), M = padded(s.message), U = padded(s.inner);
    Pieces<T> pieces{data};
    w1 = pieces.rows(s.hidden, U);
    b1 = pieces.rows(1, U);
    w2 = pieces.rows(s.inner, M);
    b2 = pieces.rows(1, M);
    state_gates = pieces.rows(s.hidden, 3 * H);
    input_gates = pieces.rows(s.inputs(), 3 * H);
    bias = pieces.rows(1, GATES * H);
    readout = pieces.rows(1, H);
    readout_bias = pieces.rows(1, PADDED_TO);
  }
};

// The weights once more, for the products of the backward pass.
template <typename T>
struct Reversed {
  Rows<T> w1, w2, gates_to_state, gates_to_input;

  static int64_t numel(const Sizes& s) {
    const int64_t H = padded(s.hidden), U = padded(s.inner);
    const int64_t inputs = padded(s.message) + padded(s.percept) + padded(s.identifier);
    return s.inner * H + s.message * U + 3 * H * (H + inputs);
  }

  Reversed(const Sizes& s, T* data) {
    const int64_t H = padded(s.hidden);
    Pieces<T> pieces{data};
    w1 = pieces.rows(s.inner, H);
    w2 = pieces.rows(s.message, padded(s.inner));
    gates_to_state = pieces.rows(3 * H, H);
    gates_to_input =
        pieces.rows(3 * H, padded(s.message) + padded(s.percept) + padded(s.identifier));
  }
};

// What a small stage keeps of an expert for the backward pass.
template <typename T>
struct Trace {
  Rows<T> rows, received, gates;  // gates: what new takes from the state, reset, update, new

  static int64_t row_size(const Sizes& s) {
    return padded(s.message) + GATES * padded(s.hidden);
  }

  Trace(const Sizes& s, Rows<T> rows)
      : rows(rows),
        received(rows.columns(0, padded(s.message))),
        gates(rows.columns(received.size, GATES * padded(s.hidden))) {}
};

// How much of vector c of a row is not padding.
template <typename T>
int64_t covered(int64_t size, int64_t c) {
  return std::clamp<int64_t>(size - c * LANES<T>, 0, LANES<T>);
}

template <typename T>
Vec<T> load_part(ConstRows<T> rows, int64_t i, int64_t c) {
  const int64_t count = covered<T>(rows.size, c);
  return count == 0 ? Vec<T>(0) : Vec<T>::loadu(rows[i] + c * LANES<T>, count);
}

template <typename T>
void store_part(Vec<T> value, Rows<T> rows, int64_t i, int64_t c) {
  const int64_t count = covered<T>(rows.size, c);
  if (count > 0) value.store(rows[i] + c * LANES<T>, count);
}

// Edges by the expert at one end: those of expert i are start[i] to start[i + 1].
template <typename T>
struct Neighbours {
  const int32_t* other;
  const int32_t* start;
  const T* coefficient;

  Neighbours(const Tensor& other, const Tensor& start, const Tensor& coefficient)
      : other(other.const_data_ptr<int32_t>()),
        start(start.const_data_ptr<int32_t>()),
        coefficient(coefficient.const_data_ptr<T>()) {}

  // out[i] = sum over the neighbours of expert first + i of coefficient * values[neighbour]
  void gather(int64_t first, int64_t count, ConstRows<T> values, Rows<T> out) const {
    for_blocks_of_columns(0, out.size / LANES<T>, [&](int64_t column, auto width) {
      constexpr int COLUMNS = decltype(width)::value;
      const T* base = values.data + column * LANES<T>;
      for (int64_t i = 0; i < count; ++i) {
        Vec<T> sum[COLUMNS];
        UNROLL for (int c = 0; c < COLUMNS; ++c) sum[c] = Vec<T>(0);
        for (int32_t e = start[first + i]; e < start[first + i + 1]; ++e) {
          const T* value = base + other[e] * values.stride;
          const Vec<T> factor(coefficient[e]);
          UNROLL for (int c = 0; c < COLUMNS; ++c)
            sum[c] = at::vec::fmadd(factor, load(value + c * LANES<T>), sum[c]);
        }
        UNROLL for (int c = 0; c < COLUMNS; ++c) sum[c].store(out[i] + (column + c) * LANES<T>);
      }
    });
  }

  // out[e] = <of_target[i], of_source[neighbour]> for the edges e of these experts
  void dot(
      int64_t first, int64_t count, ConstRows<T> of_target, ConstRows<T> of_source, T* out) const {
    for (int64_t i = first; i < first + count; ++i)
      for (int32_t e = start[i]; e < start[i + 1]; ++e)
        out[e] = std::inner_product(
            of_target[i], of_target[i] + of_target.size, of_source[other[e]], T(0));
  }
};

// What both passes read, and the parts that both compute.
template <typename T>
struct Stage {
  Sizes sizes;
  Packed<const T> weights;
  ConstRows<T> hidden, percept, identifier;
  Neighbours<T> heard;
  Chunks chunks;

  Stage(
      const Sizes& sizes, const Tensor& hidden, const Tensor& percept, const Tensor& identifier,
      const Tensor& source, const Tensor& start, const Tensor& coefficient, const Tensor& packed)
      : sizes(sizes),
        weights(sizes, packed.const_data_ptr<T>()),
        hidden(rows_of<T>(hidden)),
        percept(rows_of<T>(percept)),
        identifier(rows_of<T>(identifier)),
        heard(source, start, coefficient),
        chunks(sizes.experts) {}

  // u = tanh(W1 h + b1) of one tile
  void inner(int64_t first, int64_t count, Rows<T> out) const {
    multiply<T>(
        count, hidden.from(first), weights.w1, out.size / LANES<T>,
        [&](int64_t, int64_t c) { return load(weights.b1.data + c * LANES<T>); },
        [&](int64_t i, int64_t c, Vec<T> sum) {
          hyperbolic_tangent(sum).store(out[i] + c * LANES<T>);
        });
  }

  // m = W2 u + b2 of all experts
  Tensor messages(const at::TensorOptions& options) const {
    Tensor message = workspace(0, sizes.experts, padded(sizes.message), options);
    const Rows<T> out = mutable_rows_of<T>(message);
    for_chunks(chunks, [&](int64_t from, int64_t to) {
      Scratch<T> scratch(padded(sizes.inner));
      const Rows<T> u = scratch.tile(padded(sizes.inner));
      for_tiles(chunks, from, to, sizes.experts, [&](int64_t first, int64_t count, int64_t) {
        inner(first, count, u);
        multiply<T>(
            count, u.columns(0, sizes.inner), weights.w2, out.size / LANES<T>,
            [&](int64_t, int64_t c) { return load(weights.b2.data + c * LANES<T>); },
            [&](int64_t i, int64_t c, Vec<T> sum) {
              sum.store(out[first + i] + c * LANES<T>);
            });
      });
    });
    return message;
  }

  // The gates of one tile: use(i, c, what new takes from the state, reset, update, new).
  template <typename Use>
  void gates(int64_t first, int64_t count, ConstRows<T> received, const Use& use) const {
    constexpr int ROWS = 4;
    const int64_t apart = padded(sizes.hidden);
    const ConstRows<T> inputs[3] = {
        received.columns(0, sizes.message), percept.from(first), identifier.from(first)};
    for (int64_t c = 0; c < apart / LANES<T>; ++c) {
      const int64_t column = c * LANES<T>;
      const T* bias = weights.bias.data + column;
      for (int64_t i = 0; i < count; i += ROWS) {
        const T* rows[ROWS];
        Vec<T> sums[ROWS][3], from_state[ROWS];
        UNROLL for (int r = 0; r < ROWS; ++r)
          UNROLL for (int gate = 0; gate < 3; ++gate) sums[r][gate] = load(bias + gate * apart);
        block_of_rows(rows, hidden.from(first), i, count);
        multiply_block(
            sums, rows, sizes.hidden, weights.state_gates.data + column,
            weights.state_gates.stride, apart);
        UNROLL for (int r = 0; r < ROWS; ++r) {
          from_state[r] = sums[r][STATE_NEW];
          sums[r][0] = sums[r][RESET];
          sums[r][1] = sums[r][UPDATE];
          sums[r][2] = load(bias + INPUT_NEW * apart);
        }
        const T* w = weights.input_gates.data + column;
        for (const auto& input : inputs) {
          block_of_rows(rows, input, i, count);
          multiply_block(sums, rows, input.size, w, weights.input_gates.stride, apart);
          w += input.size * weights.input_gates.stride;
        }
        UNROLL for (int r = 0; r < ROWS; ++r) {
          if (i + r >= count) break;
          const Vec<T> reset = sigmoid(sums[r][0]), update = sigmoid(sums[r][1]);
          const Vec<T> fresh = hyperbolic_tangent(at::vec::fmadd(reset, from_state[r], sums[r][2]));
          use(i + r, c, from_state[r], reset, update, fresh);
        }
      }
    }
  }
};

// The next states, what every expert says, and the trace, if asked for.
template <typename T>
std::tuple<Tensor, Tensor, Tensor> forward(
    const Stage<T>& stage, const at::TensorOptions& options, bool keep) {
  const Sizes& sizes = stage.sizes;
  const int64_t H = padded(sizes.hidden), M = padded(sizes.message);
  Tensor kept = at::empty({keep ? sizes.experts : 0, Trace<T>::row_size(sizes)}, options);
  const Trace<T> trace(sizes, mutable_rows_of<T>(kept));
  Tensor next = at::empty({sizes.experts, sizes.hidden}, options);
  Tensor said = at::empty({sizes.experts}, options);
  const Tensor message = stage.messages(options);
  const ConstRows<T> messages = rows_of<T>(message);
  T* const to_said = said.data_ptr<T>();
  const Rows<T> to_next = mutable_rows_of<T>(next);
  for_chunks(stage.chunks, [&](int64_t from, int64_t to) {
    Scratch<T> scratch(M);
    const Rows<T> tile = scratch.tile(M);
    for_tiles(stage.chunks, from, to, sizes.experts, [&](int64_t first, int64_t count, int64_t) {
      const int64_t after = std::min(first + count, sizes.experts);
      if (keep) prefetch<true>(trace.rows.from(after), std::min(TILE, sizes.experts - after));
      const Rows<T> received = keep ? trace.received.from(first) : tile;
      stage.heard.gather(first, count, messages, received);
      stage.gates(
          first, count, received,
          [&](int64_t i, int64_t c, Vec<T> from_state, Vec<T> reset, Vec<T> update, Vec<T> fresh) {
            const Vec<T> state = load_part<T>(stage.hidden, first + i, c);
            store_part(at::vec::fmadd(update, state - fresh, fresh), to_next, first + i, c);
            if (keep) {
              T* to = trace.gates[first + i] + c * LANES<T>;
              from_state.store(to);
              reset.store(to + H);
              update.store(to + 2 * H);
              fresh.store(to + 3 * H);
            }
          });
      for (int64_t i = first; i < first + count; ++i) {
        Vec<T> sum(0);
        for (int64_t c = 0; c < H / LANES<T>; ++c)
          sum = at::vec::fmadd(
              load_part<T>(to_next, i, c), load(stage.weights.readout.data + c * LANES<T>), sum);
        to_said[i] = stage.weights.readout_bias.data[0] +
            at::vec::vec_reduce_all<T>([](Vec<T> a, Vec<T> b) { return a + b; }, sum);
      }
    });
  });
  return {next, said, kept};
}

struct Needs {
  bool percept, identifier, coefficient, weights;
};

template <typename T>
std::vector<Tensor> backward(
    const Stage<T>& stage, const Tensor& grad_next, const Tensor& grad_said,
    const Neighbours<T>& hearers,
    const Tensor& reversed, const Tensor& kept, const Tensor& grad_hidden, const Needs& needs) {
  const auto options = grad_next.options();
  const Sizes& sizes = stage.sizes;
  const Reversed<const T> weights(sizes, reversed.const_data_ptr<T>());
  const int64_t V = sizes.experts, H = padded(sizes.hidden), M = padded(sizes.message);
  const int64_t U = padded(sizes.inner), P = padded(sizes.percept);
  const bool traced = kept.size(0) == V;
  const Trace<T> trace(sizes, mutable_rows_of<T>(kept));
  const Tensor message = traced && !needs.coefficient ? Tensor() : stage.messages(options);
  const ConstRows<T> messages = mutable_rows_of<T>(message), of_next = rows_of<T>(grad_next);
  const T* const of_said = grad_said.const_data_ptr<T>();

  const auto wanted = [&](bool need, at::IntArrayRef shape) {
    return need ? at::empty(shape, options) : Tensor();
  };
  Tensor grad_percept = wanted(needs.percept, {V, sizes.percept});
  Tensor grad_identifier = wanted(needs.identifier, {V, sizes.identifier});
  Tensor grad_coefficient = wanted(needs.coefficient, {stage.heard.start[V]});
  const Tensor grad_received = workspace(1, V, M, options);
  const Rows<T> to_hidden = mutable_rows_of<T>(grad_hidden);
  const Rows<T> to_percept = mutable_rows_of<T>(grad_percept);
  const Rows<T> to_identifier = mutable_rows_of<T>(grad_identifier);
  const Rows<T> to_received = mutable_rows_of<T>(grad_received);
  const int64_t input_columns =
      needs.identifier ? weights.gates_to_input.size : needs.percept ? M + P : M;
  const int64_t per_chunk = Packed<T>::numel(sizes);
  const Tensor sums = at::zeros({needs.weights ? stage.chunks.count : 0, per_chunk}, options);
  T* const sums_data = sums.data_ptr<T>();

  for_chunks(stage.chunks, [&](int64_t from, int64_t to) {
    Scratch<T> scratch(M + GATES * H + H + H);
    const Rows<T> tile = scratch.tile(M), gates = scratch.tile(GATES * H), direct = scratch.tile(H);
    const Rows<T> of_readout = scratch.tile(H);
    const ConstRows<T> of_state = gates.columns(0, 3 * H), of_input = gates.columns(H, 3 * H);
    for_tiles(stage.chunks, from, to, V, [&](int64_t first, int64_t count, int64_t chunk) {
      const auto differentiate = [&](int64_t i, int64_t c, Vec<T> from_state, Vec<T> reset,
                                     Vec<T> update, Vec<T> fresh) {
        const Vec<T> one(1);
        const Vec<T> state = load_part<T>(stage.hidden, first + i, c);
        const Vec<T> spoken(of_said[first + i]);
        const Vec<T> grad = at::vec::fmadd(
            spoken, load(stage.weights.readout.data + c * LANES<T>),
            load_part<T>(of_next, first + i, c));
        T* const readout = of_readout[0] + c * LANES<T>;
        at::vec::fmadd(spoken, at::vec::fmadd(update, state - fresh, fresh), load(readout))
            .store(readout);
        const Vec<T> of_new = grad * (one - update) * (one - fresh * fresh);
        T* to = gates[i] + c * LANES<T>;
        (of_new * reset).store(to + STATE_NEW * H);
        (of_new * from_state * reset * (one - reset)).store(to + RESET * H);
        (grad * (state - fresh) * update * (one - update)).store(to + UPDATE * H);
        of_new.store(to + INPUT_NEW * H);
        (grad * update).store(direct[i] + c * LANES<T>);
      };
      const Rows<T> received = traced ? trace.received.from(first) : tile;
      std::fill_n(of_readout.data, H, T(0));
      if (traced) {
        const int64_t after = std::min(first + count, V);
        prefetch<false>(trace.rows.from(after), std::min(TILE, V - after));
        for (int64_t i = 0; i < count; ++i)
          for (int64_t c = 0; c < H / LANES<T>; ++c) {
            const T* from = trace.gates[first + i] + c * LANES<T>;
            differentiate(i, c, load(from), load(from + H), load(from + 2 * H), load(from + 3 * H));
          }
      } else {
        stage.heard.gather(first, count, messages, received);
        stage.gates(first, count, received, differentiate);
      }
      multiply<T>(
          count, of_state, weights.gates_to_state, H / LANES<T>,
          [&](int64_t i, int64_t c) { return load(direct[i] + c * LANES<T>); },
          [&](int64_t i, int64_t c, Vec<T> sum) { store_part(sum, to_hidden, first + i, c); });
      multiply<T>(
          count, of_input, weights.gates_to_input, input_columns / LANES<T>,
          [](int64_t, int64_t) { return Vec<T>(0); },
          [&](int64_t i, int64_t c, Vec<T> sum) {
            if (c < M / LANES<T>)
              sum.store(to_received[first + i] + c * LANES<T>);
            else if (c < (M + P) / LANES<T>)
              store_part(sum, to_percept, first + i, c - M / LANES<T>);
            else
              store_part(sum, to_identifier, first + i, c - (M + P) / LANES<T>);
          });
      if (needs.coefficient)
        stage.heard.dot(first, count, to_received, messages, grad_coefficient.data_ptr<T>());
      if (needs.weights) {
        const Packed<T> to(sizes, sums_data + chunk * per_chunk);
        Rows<T> to_input = to.input_gates;
        accumulate_outer<T>(count, stage.hidden.from(first), of_state, to.state_gates);
        for (const ConstRows<T>& x :
             {ConstRows<T>(received.columns(0, sizes.message)), stage.percept.from(first),
              stage.identifier.from(first)}) {
          accumulate_outer<T>(count, x, of_input, to_input);
          to_input = to_input.from(x.size);
        }
        accumulate_sum<T>(count, gates, to.bias.data);
        accumulate_sum<T>(1, of_readout, to.readout.data);
        to.readout_bias.data[0] =
            std::accumulate(of_said + first, of_said + first + count, to.readout_bias.data[0]);
      }
    });
  });

  for_chunks(stage.chunks, [&](int64_t from, int64_t to) {
    Scratch<T> scratch(M + 2 * U);
    const Rows<T> grad_message = scratch.tile(M);
    const Rows<T> inner = scratch.tile(U), grad_inner = scratch.tile(U);
    for_tiles(stage.chunks, from, to, V, [&](int64_t first, int64_t count, int64_t chunk) {
      hearers.gather(first, count, to_received, grad_message);
      stage.inner(first, count, inner);
      multiply<T>(
          count, grad_message.columns(0, sizes.message), weights.w2, U / LANES<T>,
          [](int64_t, int64_t) { return Vec<T>(0); },
          [&](int64_t i, int64_t c, Vec<T> sum) {
            const Vec<T> u = load(inner[i] + c * LANES<T>);
            (sum * (Vec<T>(1) - u * u)).store(grad_inner[i] + c * LANES<T>);
          });
      multiply<T>(
          count, grad_inner.columns(0, sizes.inner), weights.w1, H / LANES<T>,
          [&](int64_t i, int64_t c) { return load_part<T>(to_hidden, first + i, c); },
          [&](int64_t i, int64_t c, Vec<T> sum) { store_part(sum, to_hidden, first + i, c); });
      if (needs.weights) {
        const Packed<T> to(sizes, sums_data + chunk * per_chunk);
        accumulate_outer<T>(count, inner.columns(0, sizes.inner), grad_message, to.w2);
        accumulate_outer<T>(count, stage.hidden.from(first), grad_inner, to.w1);
        accumulate_sum<T>(count, grad_message, to.b2.data);
        accumulate_sum<T>(count, grad_inner, to.b1.data);
      }
    });
  });

  return {grad_hidden, grad_percept, grad_identifier, grad_coefficient,
          needs.weights ? sums.sum(0) : Tensor()};
}

// What is read by its address must lie there: one piece of memory of this machine, of one type.
void check_piece(const char* name, const Tensor& tensor, at::ScalarType type) {
  TORCH_CHECK_VALUE(tensor.defined(), name, " must be a tensor, got none");
  TORCH_CHECK_VALUE(
      tensor.device().is_cpu() && tensor.layout() == at::kStrided, name,
      " must be a strided tensor on the CPU in this stage, got one on ", tensor.device(), ", ",
      tensor.layout());
  TORCH_CHECK_VALUE(
      tensor.scalar_type() == type, name, " must be ", type, " in this stage, got ",
      tensor.scalar_type());
  TORCH_CHECK_VALUE(
      tensor.is_contiguous() && !tensor.is_neg(), name,
      " must lie in one piece of memory, got strides ", tensor.strides(), " for shape ",
      tensor.sizes());
}

void check(const char* name, const Tensor& tensor, at::ScalarType type, at::IntArrayRef shape) {
  check_piece(name, tensor, type);
  TORCH_CHECK_VALUE(
      tensor.sizes() == shape, name, " must have shape ", shape, " in this stage, got ",
      tensor.sizes());
}

// Whether `value` is in [0, end) for all of them: one pass that the compiler makes of vectors.
bool all_below(const int32_t* value, int64_t count, int64_t end) {
  uint32_t most = 0;
  for (int64_t i = 0; i < count; ++i) most = std::max(most, static_cast<uint32_t>(value[i]));
  return count == 0 || static_cast<int64_t>(most) < end;  // a negative one is a large one
}

// Edges by the expert at one end, as `Neighbours` reads them; and where they lead.
void check_shapes(
    const char* names[3], const Tensor& other, const Tensor& start, const Tensor& coefficient,
    int64_t experts, at::ScalarType type) {
  check(names[0], other, at::kInt, other.defined() ? other.numel() : 0);
  check(names[1], start, at::kInt, experts + 1);
  check(names[2], coefficient, type, other.numel());
}

void scan_indices(const char* names[3], const Tensor& other, const Tensor& start) {
  const int64_t experts = start.numel() - 1, edges = other.numel();
  TORCH_CHECK_VALUE(
      all_below(other.const_data_ptr<int32_t>(), edges, experts), names[0],
      " must hold experts 0 to ", experts - 1, ", got one outside");
  const int32_t* const from = start.const_data_ptr<int32_t>();
  bool grows = from[0] == 0 && from[experts] == edges;
  for (int64_t i = 0; i < experts; ++i) grows &= from[i] <= from[i + 1];
  TORCH_CHECK_VALUE(
      grows, names[1], " must grow from 0 to the number of edges, ", edges, ", got ", from[0],
      " to ", from[experts], experts ? " or a step back between" : "");
}

// Tensors as they were when they were looked at last. Whoever writes to one is noticed, unless
// behind the back of PyTorch, which counts writes in all ways but through `.data` and NumPy.
class Seen {
 public:
  Seen(const Tensor& tensor)
      : weak_(tensor.getIntrusivePtr()), data_(tensor.const_data_ptr()), numel_(tensor.numel()),
        version_(tensor._version()) {}

  bool is(const Tensor& tensor) const {  // what is pointed to weakly keeps its address
    return weak_._unsafe_get_target() == tensor.unsafeGetTensorImpl() &&
        data_ == tensor.const_data_ptr() && numel_ == tensor.numel() &&
        version_ == tensor._version();
  }

 private:
  c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl> weak_;
  const void* data_;
  int64_t numel_, version_;
};

// Once for tensors that stay the same: a pass over all indices in every round takes up to a tenth
// of the time of large stages.
void check_indices(const char* names[3], const Tensor& other, const Tensor& start) {
  static thread_local std::vector<std::pair<Seen, Seen>> known;
  constexpr size_t MOST_KNOWN = 8;
  if (other.is_inference() || start.is_inference()) return scan_indices(names, other, start);
  for (const auto& [one, two] : known)
    if (one.is(other) && two.is(start)) return;
  scan_indices(names, other, start);
  if (known.size() == MOST_KNOWN) known.erase(known.begin());
  known.emplace_back(other, start);
}

const char* HEARD[3] = {"source", "start", "coefficient"};
const char* HEARERS[3] = {"hearer", "hearer_start", "hearer_coefficient"};

// The sizes of a stage, of inputs that fit together.
Sizes sizes_of(
    const Tensor& hidden, const Tensor& percept, const Tensor& identifier, const Tensor& source,
    const Tensor& start, const Tensor& coefficient, const Tensor& packed, int64_t message,
    int64_t inner) {
  constexpr int64_t MOST = 1 << 24;  // numbers of weights then fit into 64 bits
  TORCH_CHECK_VALUE(hidden.defined(), "hidden must be a tensor, got none");
  const at::ScalarType type = hidden.scalar_type();
  TORCH_CHECK_VALUE(
      type == at::kFloat || type == at::kDouble,
      "hidden must be Float or Double in this stage, got ", type);
  const std::pair<const char*, const Tensor*> inputs[] = {
      {"hidden", &hidden}, {"percept", &percept}, {"identifier", &identifier}};
  for (const auto& [name, input] : inputs) {
    check_piece(name, *input, type);
    TORCH_CHECK_VALUE(
        input->dim() == 2, name, " must have 2 dimensions, got shape ", input->sizes());
    TORCH_CHECK_VALUE(
        input->size(0) == hidden.size(0), name, " must have one row for each of the ",
        hidden.size(0), " experts, got shape ", input->sizes());
  }
  const Sizes sizes{
      hidden.size(0), hidden.size(1), message, percept.size(1), identifier.size(1), inner};
  const std::tuple<const char*, int64_t, int64_t> columns[] = {
      {"the size of hidden", sizes.hidden, 1}, {"the size of percept", sizes.percept, 0},
      {"the size of identifier", sizes.identifier, 0}, {"message", message, 1}, {"inner", inner, 1}};
  for (const auto& [name, size, least] : columns)
    TORCH_CHECK_VALUE(
        least <= size && size < MOST, name, " must be from ", least, " to ", MOST - 1, ", got ",
        size);
  check_shapes(HEARD, source, start, coefficient, sizes.experts, type);
  check("packed", packed, type, Packed<float>::numel(sizes));
  return sizes;
}

// Whether the weights are, bit for bit, those of which `copy` is a copy, one after the other.
bool same_cpu(at::TensorList weights, const Tensor& copy) {
  TORCH_CHECK_VALUE(copy.defined(), "copy must be a tensor, got none");
  check_piece("copy", copy, copy.scalar_type());
  const char* from = static_cast<const char*>(copy.const_data_ptr());
  const char* const end = from + copy.nbytes();
  for (const Tensor& weight : weights) {
    TORCH_CHECK_VALUE(
        weight.defined() && weight.device().is_cpu() && weight.layout() == at::kStrided,
        "weights must be strided tensors on the CPU");
    const auto size = static_cast<std::ptrdiff_t>(weight.nbytes());
    if (!weight.is_contiguous() || weight.scalar_type() != copy.scalar_type() || end - from < size ||
        std::memcmp(weight.const_data_ptr(), from, size) != 0)
      return false;
    from += size;
  }
  return from == end;
}

std::tuple<Tensor, Tensor, Tensor> forward_cpu(
    const Tensor& hidden, const Tensor& percept, const Tensor& identifier, const Tensor& source,
    const Tensor& start, const Tensor& coefficient, const Tensor& packed, int64_t message,
    int64_t inner, bool keep) {
  const Sizes sizes = sizes_of(
      hidden, percept, identifier, source, start, coefficient, packed, message, inner);
  check_indices(HEARD, source, start);
  return AT_DISPATCH_FLOATING_TYPES(hidden.scalar_type(), "gru_stage", [&] {
    return forward<scalar_t>(
        {sizes, hidden, percept, identifier, source, start, coefficient, packed}, hidden.options(),
        keep);
  });
}

std::vector<Tensor> backward_into(
    const Tensor& grad_hidden, const Tensor& grad_next, const Tensor& grad_said, const Tensor& hidden, const Tensor& percept, const Tensor& identifier,
    const Tensor& source, const Tensor& start, const Tensor& coefficient, const Tensor& hearer,
    const Tensor& hearer_start, const Tensor& hearer_coefficient, const Tensor& packed,
    const Tensor& reversed, const Tensor& kept, int64_t message, int64_t inner,
    std::array<bool, 4> needs) {
  const Sizes sizes = sizes_of(
      hidden, percept, identifier, source, start, coefficient, packed, message, inner);
  const at::ScalarType type = hidden.scalar_type();
  check_shapes(HEARERS, hearer, hearer_start, hearer_coefficient, sizes.experts, type);
  check_indices(HEARD, source, start);
  check_indices(HEARERS, hearer, hearer_start);
  check("grad_next", grad_next, type, hidden.sizes());
  check("grad_said", grad_said, type, sizes.experts);
  check("reversed", reversed, type, Reversed<float>::numel(sizes));
  const bool traced = kept.defined() && kept.numel() > 0;
  check("kept", kept, type, {traced ? sizes.experts : 0, Trace<float>::row_size(sizes)});
  return AT_DISPATCH_FLOATING_TYPES(type, "gru_stage_backward", [&] {
    return backward<scalar_t>(
        {sizes, hidden, percept, identifier, source, start, coefficient, packed}, grad_next, grad_said,
        {hearer, hearer_start, hearer_coefficient}, reversed, kept, grad_hidden,
        {needs[0], needs[1], needs[2], needs[3]});
  });
}

std::vector<Tensor> backward_cpu(
    const Tensor& grad_next, const Tensor& grad_said, const Tensor& hidden, const Tensor& percept,
    const Tensor& identifier, const Tensor& source, const Tensor& start,
    const Tensor& coefficient, const Tensor& hearer, const Tensor& hearer_start,
    const Tensor& hearer_coefficient, const Tensor& packed, const Tensor& reversed,
    const Tensor& kept, int64_t message, int64_t inner, std::array<bool, 4> needs) {
  TORCH_CHECK_VALUE(hidden.defined(), "hidden must be a tensor, got none");
  return backward_into(
      at::empty_like(hidden), grad_next, grad_said, hidden, percept, identifier, source, start,
      coefficient, hearer, hearer_start, hearer_coefficient, packed, reversed, kept, message, inner,
      needs);
}

template <typename Function>
auto typed_operator(const char* name, Function*) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Function>();
}

class StageFunction : public torch::autograd::Function<StageFunction> {
  enum Input {
    HIDDEN, PERCEPT, IDENTIFIER, SOURCE, START, COEFFICIENT, HEARER, HEARER_START,
    HEARER_COEFFICIENT, PACKED, REVERSED, MESSAGE, INNER, KEEP, INPUTS
  };

 public:
  static torch::autograd::variable_list forward(
      torch::autograd::AutogradContext* context, const Tensor& hidden, const Tensor& percept,
      const Tensor& identifier, const Tensor& source, const Tensor& start,
      const Tensor& coefficient, const Tensor& hearer, const Tensor& hearer_start,
      const Tensor& hearer_coefficient, const Tensor& packed, const Tensor& reversed,
      int64_t message, int64_t inner, bool keep) {
    static const auto op = typed_operator("badger_graph::gru_stage_forward", forward_cpu);
    at::AutoDispatchBelowADInplaceOrView below;
    auto [next, said, kept] = op.call(
        hidden, percept, identifier, source, start, coefficient, packed, message, inner, keep);
    context->save_for_backward(
        {hidden, percept, identifier, source, start, coefficient, hearer, hearer_start,
         hearer_coefficient, packed, reversed, kept});
    context->saved_data["message"] = message;
    context->saved_data["inner"] = inner;
    return {next, said};
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context, torch::autograd::variable_list grad) {
    TORCH_CHECK(
        !at::GradMode::is_enabled(),
        "the fused stage has first derivatives only, got a backward pass with create_graph=True; "
        "use executor='dense', 'sparse' or 'reference'");
    static const auto op = typed_operator("badger_graph::gru_stage_backward", backward_cpu);
    const auto s = context->get_saved_variables();
    const std::array<bool, 4> needs = {
        context->needs_input_grad(PERCEPT), context->needs_input_grad(IDENTIFIER),
        context->needs_input_grad(COEFFICIENT), context->needs_input_grad(PACKED)};
    const Tensor grad_next = std::exchange(grad[0], {}).contiguous();
    // Nobody else will read it: the gradient of the state may take its place, as large as it is.
    const bool overwrite = grad_next.use_count() == 1 && grad_next.storage().use_count() == 1 &&
        !at::isTensorSubclassLike(grad_next);
    const Tensor grad_said = grad[1].contiguous();
    const int64_t message = context->saved_data["message"].toInt();
    const int64_t inner = context->saved_data["inner"].toInt();
    const auto out = overwrite
        ? backward_into(
              grad_next, grad_next, grad_said, s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8],
              s[9], s[10], s[11], message, inner, needs)
        : op.call(
              grad_next, grad_said, s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9],
              s[10], s[11], message, inner, needs);
    torch::autograd::variable_list gradients(INPUTS);
    gradients[HIDDEN] = out[0];
    gradients[PERCEPT] = out[1];
    gradients[IDENTIFIER] = out[2];
    gradients[COEFFICIENT] = out[3];
    gradients[PACKED] = out[4];
    return gradients;
  }
};

std::tuple<Tensor, Tensor> stage_autograd(
    const Tensor& hidden, const Tensor& percept, const Tensor& identifier, const Tensor& source,
    const Tensor& start, const Tensor& coefficient, const Tensor& hearer,
    const Tensor& hearer_start, const Tensor& hearer_coefficient, const Tensor& packed,
    const Tensor& reversed, int64_t message, int64_t inner) {
  for (const Tensor* x : {&hidden, &percept, &identifier, &source, &start, &coefficient, &hearer,
                          &hearer_start, &hearer_coefficient, &packed, &reversed})
    TORCH_CHECK_VALUE(x->defined(), "every input of this stage must be a tensor, got none");
  TORCH_CHECK_VALUE(
      hidden.dim() == 2, "hidden must have 2 dimensions, got shape ", hidden.sym_sizes());
  bool differentiable = false;
  for (const Tensor* x : {&hidden, &percept, &identifier, &coefficient, &packed})
    differentiable |= x->requires_grad();
  const bool keep = differentiable && at::GradMode::is_enabled() && hidden.size(0) <= KEPT_UP_TO;
  const auto out = StageFunction::apply(
      hidden.contiguous(), percept.contiguous(), identifier.contiguous(), source, start,
      coefficient.contiguous(), hearer, hearer_start, hearer_coefficient, packed.contiguous(),
      reversed, message, inner, keep);
  return {out[0], out[1]};
}

}  // namespace

TORCH_LIBRARY(badger_graph, library) {
  library.def("same(Tensor[] weights, Tensor copy) -> bool");
  library.def(
      "gru_stage(Tensor hidden, Tensor percept, Tensor identifier, Tensor source, Tensor start, "
      "Tensor coefficient, Tensor hearer, Tensor hearer_start, Tensor hearer_coefficient, "
      "Tensor packed, Tensor reversed, int message, int inner) -> (Tensor, Tensor)");
  library.def(
      "gru_stage_forward(Tensor hidden, Tensor percept, Tensor identifier, Tensor source, "
      "Tensor start, Tensor coefficient, Tensor packed, int message, int inner, bool keep) "
      "-> (Tensor, Tensor, Tensor)");
  library.def(
      "gru_stage_backward(Tensor grad_next, Tensor grad_said, Tensor hidden, Tensor percept, Tensor identifier, "
      "Tensor source, Tensor start, Tensor coefficient, Tensor hearer, Tensor hearer_start, "
      "Tensor hearer_coefficient, Tensor packed, Tensor reversed, Tensor kept, int message, "
      "int inner, bool[4] needs) -> Tensor[]");
}

TORCH_LIBRARY_IMPL(badger_graph, CPU, library) {
  library.impl("same", same_cpu);
  library.impl("gru_stage_forward", forward_cpu);
  library.impl("gru_stage_backward", backward_cpu);
}

TORCH_LIBRARY_IMPL(badger_graph, CompositeImplicitAutograd, library) {
  library.impl("gru_stage", stage_autograd);
}

}  // namespace badger_graph
