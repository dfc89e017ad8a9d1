internal import CKernels
internal import COpenBLAS

/// Which of OpenBLAS's kernels this process runs with.
///
/// OpenBLAS picks them once, when it loads, from a list of processors that ends at its own release: Debian's 0.3.21
/// takes its Haswell kernels on newer AMD cores, at half the speed of its SkylakeX ones, which every AVX-512 processor
/// runs.
package enum ProcessorKernels {
  package static var coreName: String { String(cString: openblas_get_corename()) }

  // It is put together anew at every call, in one place for all threads.
  package static let library = String(cString: openblas_get_config())

  /// How OpenBLAS runs threads, as it was built.
  package static var threading: String {
    switch openblas_get_parallel() {
    case 0: "no threads"
    case 1: "threads of its own"
    default: "OpenMP"
    }
  }

  /// The instructions that loops and products of our own are run with.
  package static var instructions: String {
    #if arch(arm64)
      return "NEON"
    #else
      if laser_processor_has_avx512_bf16() { return "AVX-512, with bf16" }
      if laser_processor_has_avx512() { return "AVX-512" }
      return laser_processor_has_avx2() ? "AVX2" : "plain"
    #endif
  }

  /// What the last bits of results depend on, by name: processes that work together must have the same.
  package static var facts: [(what: String, value: String)] {
    let order = 1.littleEndian == 1 ? "least significant first" : "most significant first"
    return [
      ("order of bytes", order), ("kernels", instructions), ("BLAS library", library), ("BLAS kernels", coreName),
    ]
  }

  /// The core type that the environment should name before OpenBLAS loads; nil when its own choice is right.
  package static var betterCoreType: String? {
    let usesAVX512 = ["SkylakeX", "Cooperlake", "SapphireRapids"]
    return laser_processor_has_avx512() && !usesAVX512.contains(coreName) ? "SKYLAKEX" : nil
  }
}
