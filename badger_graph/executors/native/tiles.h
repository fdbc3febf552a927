// Small dense products in registers, for any size and any vector width that at::vec knows.
//
// Columns are padded with zeros to whole vectors, so no loop over columns has a remainder. Rows come
// in blocks; a block that reaches past the last row repeats it.
#pragma once

#include <ATen/cpu/vec/vec.h>
#include <ATen/cpu/vec/functional.h>

#include <algorithm>
#include <cstdint>

// A loop over registers is no loop: they have no addresses.
#define UNROLL _Pragma("GCC unroll 8")

namespace badger_graph {

template <typename T>
using Vec = at::vec::Vectorized<T>;

template <typename T>
constexpr int64_t LANES = Vec<T>::size();

// Blocks of sums that stay in registers: AVX2 has 16 of them, AVX-512 and NEON have 32.
#if defined(CPU_CAPABILITY_AVX512) || defined(__aarch64__)
constexpr int WIDEST = 6;
constexpr int rows_beside(int vectors) {
  return vectors <= 3 ? 8 : 4;
}
#else
constexpr int WIDEST = 2;
constexpr int rows_beside(int) {
  return 4;
}
#endif

// Columns to which every row of weights and messages is padded: whole vectors of any kind.
constexpr int64_t PADDED_TO = 16;

inline int64_t padded(int64_t size) {
  return (size + PADDED_TO - 1) / PADDED_TO * PADDED_TO;
}

// Rows of equal size: row i starts at data + i * stride.
template <typename T>
struct Rows {
  T* data;
  int64_t stride;
  int64_t size;

  T* operator[](int64_t row) const {
    return data + row * stride;
  }
  Rows from(int64_t row) const {
    return {(*this)[row], stride, size};
  }
  Rows columns(int64_t first, int64_t count) const {
    return {data + first, stride, count};
  }
  operator Rows<const T>() const {
    return {data, stride, size};
  }
};

template <typename T>
using ConstRows = Rows<const T>;

// Fetches `count` rows that lie one after the other while something else is computed.
template <bool WRITE, typename T>
inline void prefetch(Rows<T> rows, int64_t count) {
  constexpr int64_t LINE = 64 / sizeof(T);
  const T* const end = rows.data + count * rows.stride;
  for (const T* line = rows.data; line < end; line += LINE) __builtin_prefetch(line, WRITE);
}

template <typename T>
inline Vec<T> load(const T* from) {
  return Vec<T>::loadu(from);
}

// 2^x to 1 ulp, and NaN for NaN: the fast exponentials of at::vec are right to 20 ulp and hide NaN.
template <typename T>
inline Vec<T> power_of_two(Vec<T> x) {
  return x.exp2();
}

template <>
inline Vec<float> power_of_two(Vec<float> x) {
  using V = Vec<float>;
  x = at::vec::clamp(x, V(-126.0f), V(126.0f));
  const V whole = x.round(), part = x - whole;
  V p = at::vec::fmadd(V(1.5403530e-4f), part, V(1.3333558e-3f));
  p = at::vec::fmadd(p, part, V(9.6181291e-3f));
  p = at::vec::fmadd(p, part, V(5.5504109e-2f));
  p = at::vec::fmadd(p, part, V(2.4022651e-1f));
  p = at::vec::fmadd(p, part, V(6.9314718e-1f));
  p = at::vec::fmadd(p, part, V(1.0f));
  const auto exponent = at::vec::convert_to_int_of_same_size(whole) << Vec<int32_t>(23);
  return at::vec::cast<float>(at::vec::cast<int32_t>(p) + exponent);
}

template <typename T>
inline Vec<T> sigmoid(Vec<T> x) {
  return Vec<T>(1) / (Vec<T>(1) + power_of_two(x * Vec<T>(-1.4426950408889634)));
}

template <typename T>
inline Vec<T> hyperbolic_tangent(Vec<T> x) {
  return x.tanh();
}

// Near zero by a polynomial (Cephes): the other form is right there in absolute terms only.
template <>
inline Vec<float> hyperbolic_tangent(Vec<float> x) {
  using V = Vec<float>;
  const V far = V(1.0f) - V(2.0f) / (V(1.0f) + power_of_two(x * V(2.8853900817779268f)));
  const V square = x * x;
  V p = at::vec::fmadd(V(-5.70498872745e-3f), square, V(2.06390887954e-2f));
  p = at::vec::fmadd(p, square, V(-5.37397155531e-2f));
  p = at::vec::fmadd(p, square, V(1.33314422036e-1f));
  p = at::vec::fmadd(p, square, V(-3.33332819422e-1f));
  const V near = at::vec::fmadd(p, square * x, x);
  return V::blendv(far, near, x.abs() < V(0.625f));
}

template <typename T, int ROWS, int COLUMNS>
inline void copy_block(Vec<T> (&to)[ROWS][COLUMNS], const Vec<T> (&from)[ROWS][COLUMNS]) {
  UNROLL for (int r = 0; r < ROWS; ++r) {
    UNROLL for (int c = 0; c < COLUMNS; ++c) to[r][c] = from[r][c];
  }
}

// sums[r][c] += sum_k x[r][k] * w[k][c], where column c is a vector at w[k] + c * apart.
template <typename T, int ROWS, int COLUMNS>
inline void multiply_block(
    Vec<T> (&sums)[ROWS][COLUMNS], const T* const (&x)[ROWS], int64_t depth, const T* w,
    int64_t stride, int64_t apart) {
  Vec<T> local[ROWS][COLUMNS];  // else compilers write the sums to memory in every round
  copy_block(local, sums);
  for (int64_t k = 0; k < depth; ++k, w += stride) {
    Vec<T> row[COLUMNS];
    UNROLL for (int c = 0; c < COLUMNS; ++c) row[c] = load(w + c * apart);
    UNROLL for (int r = 0; r < ROWS; ++r) {
      const Vec<T> value(x[r][k]);
      UNROLL for (int c = 0; c < COLUMNS; ++c)
        local[r][c] = at::vec::fmadd(value, row[c], local[r][c]);
    }
  }
  copy_block(sums, local);
}

template <typename T, int ROWS>
inline void block_of_rows(const T* (&x)[ROWS], ConstRows<T> rows, int64_t first, int64_t count) {
  UNROLL for (int r = 0; r < ROWS; ++r) x[r] = rows[std::min(first + r, count - 1)];
}

// Call `body` with blocks of columns as wide as registers allow: body(first vector, width).
template <int WIDTH = WIDEST, typename Body>
inline void for_blocks_of_columns(int64_t from, int64_t to, const Body& body) {
  for (; from + WIDTH <= to; from += WIDTH) body(from, std::integral_constant<int, WIDTH>());
  if constexpr (WIDTH > 1) for_blocks_of_columns<WIDTH - 1>(from, to, body);
}

// finish(i, c, start(i, c) + x[i] @ w) for each row i and each vector c of columns.
template <typename T, typename Start, typename Finish>
inline void multiply(
    int64_t count, ConstRows<T> x, ConstRows<T> w, int64_t num_vectors, const Start& start,
    const Finish& finish) {
  for_blocks_of_columns(0, num_vectors, [&](int64_t first, auto width) {
    constexpr int COLUMNS = decltype(width)::value, ROWS = rows_beside(COLUMNS);
    for (int64_t i = 0; i < count; i += ROWS) {
      const T* rows[ROWS];
      block_of_rows(rows, x, i, count);
      Vec<T> sums[ROWS][COLUMNS];
      UNROLL for (int r = 0; r < ROWS; ++r)
        UNROLL for (int c = 0; c < COLUMNS; ++c)
          sums[r][c] = start(std::min(i + r, count - 1), first + c);
      multiply_block(sums, rows, x.size, w.data + first * LANES<T>, w.stride, LANES<T>);
      UNROLL for (int r = 0; r < ROWS; ++r) {
        if (i + r >= count) break;
        UNROLL for (int c = 0; c < COLUMNS; ++c) finish(i + r, first + c, sums[r][c]);
      }
    }
  });
}

// out[k] += sum_i x[i][k] * y[i]: how the gradient of a weight grows.
template <typename T>
inline void accumulate_outer(int64_t count, ConstRows<T> x, ConstRows<T> y, Rows<T> out) {
  for_blocks_of_columns(0, y.size / LANES<T>, [&](int64_t first, auto width) {
    constexpr int COLUMNS = decltype(width)::value, ROWS = rows_beside(COLUMNS);
    const int64_t column = first * LANES<T>;
    const auto block = [&](int64_t k, auto rows) {
      constexpr int R = decltype(rows)::value;
      Vec<T> sums[R][COLUMNS];
      UNROLL for (int r = 0; r < R; ++r)
        UNROLL for (int c = 0; c < COLUMNS; ++c) sums[r][c] = load(out[k + r] + column + c * LANES<T>);
      for (int64_t i = 0; i < count; ++i) {
        const T *values = x[i] + k, *from = y[i] + column;
        Vec<T> row[COLUMNS];
        UNROLL for (int c = 0; c < COLUMNS; ++c) row[c] = load(from + c * LANES<T>);
        UNROLL for (int r = 0; r < R; ++r) {
          const Vec<T> value(values[r]);
          UNROLL for (int c = 0; c < COLUMNS; ++c) sums[r][c] = at::vec::fmadd(value, row[c], sums[r][c]);
        }
      }
      UNROLL for (int r = 0; r < R; ++r)
        UNROLL for (int c = 0; c < COLUMNS; ++c) sums[r][c].store(out[k + r] + column + c * LANES<T>);
    };
    int64_t k = 0;
    for (; k + ROWS <= x.size; k += ROWS) block(k, std::integral_constant<int, ROWS>());
    for (; k + 4 <= x.size; k += 4) block(k, std::integral_constant<int, 4>());
    for (; k < x.size; ++k) block(k, std::integral_constant<int, 1>());
  });
}

// out += sum_i y[i]: how the gradient of a bias grows.
template <typename T>
inline void accumulate_sum(int64_t count, ConstRows<T> y, T* out) {
  for (int64_t column = 0; column < y.size; column += LANES<T>) {
    Vec<T> sum = load(out + column);
    for (int64_t i = 0; i < count; ++i) sum = sum + load(y[i] + column);
    sum.store(out + column);
  }
}

}  // namespace badger_graph
