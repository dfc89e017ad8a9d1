internal import Checkpoints
internal import Evaluation
internal import Inference
package import Models
package import Processes
package import RankReduction
internal import Tensors
internal import Tokenization
internal import Wording

/// A search made ready: files opened, texts tokenized, sites and ranks resolved. Everything that can be wrong with its
/// settings has been found by then.
package struct Search: Sendable {
  package let settings: SearchSettings
  package let inputs: SearchInputs
  /// Where the model lies, and its base.
  package let modelFolder: String
  package let baseFolder: String?
  package let model: Model
  package internal(set) var reducer: Reducer
  let program: String
  let text: Evaluation
  let heldOut: Evaluation
  /// What may not get worse; nil where nothing is guarded.
  let guarded: Evaluation?
  /// From the last layer down.
  let sites: [Site]
  /// Who works on it together: each has the same settings.
  package let processes: ProcessGroup

  package init(_ settings: SearchSettings, program: String, processes: ProcessGroup = .alone) throws {
    self.settings = settings
    self.processes = processes
    self.program = program
    modelFolder = try modelPath(settings.model)
    baseFolder = try settings.base.map { try modelPath($0) }
    let model = try Model(path: modelFolder)
    self.model = try settings.expertsPerToken.map { try model.withExpertsPerToken($0) } ?? model
    let base = try baseFolder.map { try Model(path: $0) }
    reducer = try Reducer(self.model, base: base, isControl: settings.isControl)
    sites = try settings.selection.sites(of: model)
    for site in sites {
      try reducer.check(site)
      for rule in settings.rankRules { try rule.check(fullRank: reducer.fullRank(of: site)) }
    }
    let material = try SearchMaterial(settings, model, Tokenizer(path: modelFolder))
    func divided(_ evaluation: Evaluation) -> Evaluation {
      var evaluation = evaluation
      evaluation.processes = processes
      return evaluation
    }
    (text, heldOut, guarded) = (divided(material.search), divided(material.heldOut), material.guarded.map(divided))
    func texts(_ evaluation: Evaluation) -> [SearchInputs.Text] {
      zip(evaluation.corpora, evaluation.ranges).map {
        SearchInputs.Text(
          path: $0.path, fingerprint: $0.fingerprint.description, windows: $1.count, bytes: $0.byteCount)
      }
    }
    func file(_ path: String, _ checkpoint: Checkpoint) -> SearchInputs.File {
      SearchInputs.File(path: path, fingerprint: checkpoint.fingerprint.description, bytes: checkpoint.byteCount)
    }
    inputs = SearchInputs(
      model: file(settings.model, model.checkpoint),
      tokenizer: try Tokenizer.fingerprint(path: modelFolder).description,
      base: base.map { file($0.checkpoint.path, $0.checkpoint) },
      text: texts(text), heldOut: texts(heldOut), guarded: guarded.map(texts))
  }

  /// The base, if it has a row for every token that the model knows, so that it reads the same texts.
  var comparableBase: Model? {
    reducer.base.flatMap { $0.configuration.vocabularySize >= model.configuration.vocabularySize ? $0 : nil }
  }

  /// Of all that statistics of the search text depend on: the files, and how windows are made of them.
  var statisticsOrigin: Fingerprint {
    var fingerprint = Fingerprint()
    for file in [inputs.model.fingerprint, inputs.base?.fingerprint ?? "none", inputs.tokenizer] {
      fingerprint.update(file)
    }
    for text in inputs.text { fingerprint.update("\(text.fingerprint) \(text.windows)") }
    for name in ["convention", "context", "stride", "experts-per-token", "control"] {
      let setting = Setting.all.first { $0.name == name }
      fingerprint.update("\(name) \(setting?.write(settings) ?? [])")
    }
    if !settings.questions.isEmpty {
      fingerprint.update("questions \(settings.text.count) \(settings.shareOfQuestions) \(settings.querySuffix)")
    }
    return fingerprint
  }

  /// The order in which trials run over the windows.
  var rounds: WindowRounds { WindowRounds(count: text.windows.count, exhaustive: settings.isExhaustive) }
}
