"""The native operators: C++, compiled at first use. Nobody else needs to look in here."""
