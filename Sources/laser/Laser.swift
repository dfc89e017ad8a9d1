internal import ArgumentParser
internal import Checkpoints
internal import Glibc
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
        name: "Laser:", subcommands: [RunCommand.self, SearchCommand.self, ApplyCommand.self, ReportCommand.self]),
      CommandGroup(
        name: "Measure:", subcommands: [PerplexityCommand.self, CompareCommand.self, GenerateCommand.self]),
      CommandGroup(
        name: "Look inside:", subcommands: [InspectCommand.self, SpectrumCommand.self, TokenizeCommand.self]),
      CommandGroup(name: "Build:", subcommands: [MergeCommand.self, ConvertCommand.self, SynthesizeCommand.self]),
    ])
}

@main
enum Main {
  static func main() {
    StandardOutput.prepare()
    BLASKernelChoice.restartWithBetterKernels()
    Parallelism.keepFreedMemory()
    MappedFile.explainFaults()
    // A file that may not grow any further (ulimit -f) is an error like others, not the end without a word.
    signal(SIGXFSZ, SIG_IGN)
    do {
      do {
        var command = try Laser.parseAsRoot()
        try command.run()
      } catch {
        JSONError.show(error)
        throw error
      }
      try InputChanges.refuse()
    } catch {
      Laser.exit(withError: error)
    }
  }
}
