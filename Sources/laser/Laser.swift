internal import ArgumentParser

struct Laser: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "laser",
    abstract: "Reduce the rank of a language model's weight matrices where that makes the model better.",
    discussion: """
      A search truncates chosen matrices (LASER, arXiv 2312.13558) or their differences to a base model, measures \
      perplexity on a text, keeps what improves it by more than its noise, and confirms the result on held-out text.

      Laser a model as a recipe says:   laser run recipe.yaml
      Search, then write a checkpoint:  laser search MODEL --text A.txt --held-out B.txt --out RUN
                                        laser apply MODEL --plan RUN/plan.yaml --out FOLDER
      Measure a model:                  laser perplexity MODEL --text A.txt
      """,
    version: Version.number,
    subcommands: [
      RunCommand.self, SearchCommand.self, ApplyCommand.self, PerplexityCommand.self, CompareCommand.self,
      TokenizeCommand.self, InspectCommand.self, SpectrumCommand.self, ReportCommand.self, GenerateCommand.self,
      MergeCommand.self,
    ])
}

@main
enum Main {
  static func main() {
    BLASKernelChoice.restartWithBetterKernels()
    Laser.main()
  }
}
