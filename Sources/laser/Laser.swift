internal import ArgumentParser
internal import Checkpoints
internal import Glibc
internal import Processes
internal import Tensors

struct Laser: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "laser",
    abstract: "Reduce the rank of a language model's weight matrices where that makes the model better.",
    discussion: """
      A search truncates chosen matrices (LASER, arXiv 2312.13558) or their differences to a base model, measures \
      perplexity on a text, keeps what improves it by more than its noise, and confirms the result on held-out text.

      Laser a model as a recipe says:

        laser run recipe.yaml

      Search first, then write a checkpoint:

        laser search MODEL --text A.txt --held-out B.txt --out RUN
        laser apply MODEL --plan RUN/plan.yaml --out FOLDER

      MODEL is a Hugging Face folder or a GGUF file.
      """,
    version: Version.number,
    groupedSubcommands: [
      CommandGroup(
        name: "Laser:",
        subcommands: [
          RunCommand.self, SearchCommand.self, ApplyCommand.self, StatusCommand.self,
          ReportCommand.self, EstimateCommand.self,
        ]),
      CommandGroup(
        name: "Measure:",
        subcommands: [PerplexityCommand.self, ScoreCommand.self, CompareCommand.self, GenerateCommand.self]),
      CommandGroup(
        name: "Look inside:",
        subcommands: [InspectCommand.self, SpectrumCommand.self, TokenizeCommand.self, DoctorCommand.self]),
      CommandGroup(name: "Build:", subcommands: [MergeCommand.self, ConvertCommand.self, SynthesizeCommand.self]),
    ])
}

@main
enum Main {
  /// Ends the program as the parser would, in lines that fit the terminal.
  private static func exit(with error: any Error, hasPrintedResult: Bool = false) -> Never {
    let (text, code) = (Laser.fullMessage(for: error), Laser.exitCode(for: error))
    if !hasPrintedResult { JSONError.show(Laser.message(for: error), status: code.rawValue) }
    if code != .success, !text.isEmpty, !Launch.processes.isAlone { Launch.fail(text, status: code.rawValue) }
    Launch.end()
    guard code != .success, !text.isEmpty, let columns = TerminalText.columns(STDERR_FILENO) else {
      Laser.exit(withError: error)
    }
    let lines = TerminalText.wrapped(text, columns: columns) + "\n"
    _ = lines.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    Laser.exit(withError: ExitCode(code.rawValue))
  }

  static func main() {
    StandardOutput.prepare()
    BLASKernelChoice.restartWithBetterKernels()
    Parallelism.keepFreedMemory()
    MappedFile.explainFaults()
    // A file that may not grow any further (ulimit -f) is an error like others, not the end without a word.
    signal(SIGXFSZ, SIG_IGN)
    let arguments = Array(CommandLine.arguments.dropFirst())
    if let script = CompletionScript(arguments: arguments) { return print(script.text) }
    do { try Launch.begin() } catch { exit(with: error) }
    var command: any ParsableCommand
    do {
      // The parser would show its own help for a command that it does not know.
      if arguments.first == "help", let message = Misspelling(help: Laser._dumpHelp())?.message(arguments) {
        throw ValidationError(message)
      }
      command = try Laser.parseAsRoot()
      let name = type(of: command)._commandName
      if !Launch.processes.isAlone, !(command is any DividedCommand), name != "help", name != Laser._commandName {
        throw ValidationError(
          "'\(name)' is for one process; several can do \(divided) together.")
      }
    } catch {
      let isRefused = Laser.exitCode(for: error) == .validationFailure && arguments.first != "help"
      let message = isRefused ? Misspelling(help: Laser._dumpHelp())?.message(arguments) : nil
      exit(with: message.map { ValidationError($0) as any Error } ?? error)
    }
    do { try command.run() } catch { exit(with: error) }
    do { try InputChanges.refuse() } catch { exit(with: error, hasPrintedResult: true) }
    Launch.end()
  }

  private static let divided = "'search', 'run', 'perplexity', 'compare' and 'score'"
}
