internal import Glibc
internal import Tensors

/// OpenBLAS reads OPENBLAS_CORETYPE once, when it loads. A process that finds itself with slower kernels than its
/// processor can run sets it and executes itself again. A value that the user set is left alone.
enum BLASKernelChoice {
  private static let variable = "OPENBLAS_CORETYPE"

  static func restartWithBetterKernels() {
    guard getenv(variable) == nil, let better = ProcessorKernels.betterCoreType else { return }
    setenv(variable, better, 1)
    setenv(marker, "1", 1)
    execv("/proc/self/exe", CommandLine.unsafeArgv)
    // Not possible here: go on with the kernels there are.
    unsetenv(variable)
    unsetenv(marker)
  }

  private static let marker = "LASER_CHOSE_CORETYPE"

  /// Why OpenBLAS runs the kernels that it runs.
  static var reason: String {
    if getenv(marker) != nil { return "chosen for this processor" }
    return getenv(variable) != nil ? "as \(variable) says" : "OpenBLAS's own choice"
  }

  static var description: String {
    "\(ProcessorKernels.library)\nkernels: \(ProcessorKernels.coreName) (\(reason)); \(Parallelism.threads) threads"
  }
}
