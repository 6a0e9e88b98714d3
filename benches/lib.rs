//! Benchmarks of esbgate; they live in `benches/`.
