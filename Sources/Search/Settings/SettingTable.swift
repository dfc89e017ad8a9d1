internal import Evaluation
internal import Models
internal import RankReduction
internal import Tensors
internal import Wording

extension Setting {
  /// Every setting, in the order of help and reports.
  package static let all: [Setting] = [
    Setting(
      "model", help: "A checkpoint: its folder, a GGUF file, or its id in the Hugging Face cache.", valueName: "model",
      completion: .models, isRequired: true,
      isPositional: true, read: { $1.model = $0.joined() }, write: { [$0.model] }),
    Setting(
      "base", help: "Reduce the difference to this checkpoint instead of the weights.",
      discussion: "It may be dense while the model is a mixture: each expert is then compared with the dense layer.",
      valueName: "model", completion: .models, read: { $1.base = $0.joined() }, write: { $0.base.map { [$0] } ?? [] }),
    Setting(
      "text", .files, label: "search text", help: "Texts that trials are scored on.", valueName: "file",
      completion: .files, read: { $1.text = $0 }, write: { $0.text }),
    Setting(
      "held-out", .files, label: "held-out text",
      help: "Texts that confirm the result; without them, the second half of every text is held out.",
      valueName: "file", completion: .files, read: { $1.heldOut = $0 }, write: { $0.heldOut }),
    Setting(
      "guard", .files, label: "guard text",
      help:
        "Texts that may not get worse, whatever is gained on the others: what would cost too much there is rejected.",
      discussion: "Too much is where the upper bound of the paired change, at --confidence, exceeds --guard-limit.",
      valueName: "file", completion: .files, read: { $1.guardText = $0 }, write: { $0.guardText }),
    .value(
      "guard-limit", \.guardLimit, label: "guard limit",
      help: "Nats per token that --guard texts may get worse by; \(SearchSettings.defaultGuardLimit) by default.",
      valueName: "nats", parse: number
    ) { $0.map { "\($0)" } },
    Setting(
      "questions", .files, label: "search questions",
      help: "Questions that trials are scored on, JSON lines, by the right choice's likelihood among the choices.",
      discussion: "Instead of texts, or beside them with --question-share.",
      valueName: "file", completion: .files, read: { $1.questions = $0 }, write: { $0.questions }),
    Setting(
      "held-out-questions", .files, label: "held-out questions",
      help: "Questions that confirm the result; without them, four fifths of every file are held out.",
      valueName: "file", completion: .files, read: { $1.heldOutQuestions = $0 }, write: { $0.heldOutQuestions }),
    .value(
      "query-suffix", \.querySuffix, label: "query suffix", help: "What ends every query, as in $'\\nAnswer:'.",
      valueName: "text", parse: { $0 }, print: { $0.isEmpty ? nil : $0 }),
    .value(
      "question-share", \.questionShare, label: "share of the questions",
      help: "What the questions are of the whole, beside texts: above 0 and below 1; 0.5 by default.",
      valueName: "share", parse: number
    ) { $0.map { "\($0)" } },
    .value(
      "layers", \.layers, help: "Layers, as in 0-5,7; or all.", valueName: "list", completion: .words(["all"]),
      shape: .set, parse: indexList
    ) { $0.description },
    .value(
      "experts", \.experts,
      help:
        "Experts, as in 0,2; or all, which takes the layers without experts too. A shared expert is selected by its "
        + "roles.", valueName: "list", completion: .words(["all"]), shape: .set, parse: indexList
    ) { $0.description },
    .value(
      "roles", \.roles,
      help:
        "Roles of matrices: w1 (or gate_proj), w2 (down_proj), w3 (up_proj); shared_w1, shared_w2, shared_w3; q_proj, "
        + "k_proj, v_proj, o_proj; q_a_proj, q_b_proj, kv_a_proj, kv_b_proj of latent attention; in_proj_qkv, in_proj_z or "
        + "in_proj_qkvz, and out_proj of linear attention.", valueName: "list",
      completion: .words(Role.allCases.map(\.rawValue)), shape: .set,
      parse: SearchSettings.roles
    ) { $0.map { $0.map(\.rawValue).joined(separator: ",") } },
    .value(
      "ranks", \.ranks, help: "Ranks to try, in this order, with --strategy sweep or greedy.",
      discussion: "Each is \(RankRule.syntax).",
      valueName: "list", completion: .words(RankRule.words), shape: .set, parse: SearchSettings.ranks
    ) { $0.map { $0.map(\.description).joined(separator: ",") } },
    .value(
      "strategy", \.strategy,
      help: "How reductions are found: \(Strategy.allCases.map(\.name).joined(separator: ", ")).",
      discussion: Strategy.allCases.map(\.help).joined(separator: " "), valueName: "name",
      completion: .words(Strategy.allCases.map(\.name)), parse: SearchSettings.strategy
    ) { $0.name },
    .value(
      "filter", \.filter,
      help: "What the factors of singular directions may be: truncate, scale, select, shrink or reweight.",
      discussion: FilterKind.allCases.map { "\($0.rawValue): \($0.summary)." }.joined(separator: " "),
      valueName: "name",
      completion: .words(FilterKind.allCases.map(\.rawValue)), parse: SearchSettings.filter
    ) { $0.rawValue },
    .value(
      "damping", \.damping, help: "How cautious filters are, as in 32; searched if it is not given.",
      valueName: "number",
      parse: number
    ) { $0.map { "\($0)" } },
    .value(
      "rounds", \.rounds, help: "Backward passes for filters, each of the model with those found before.",
      discussion: "A round counts only if windows that did not make its filters score better with them.",
      valueName: "count", parse: integer
    ) { "\($0)" },
    .value(
      "objective", \.objectiveName,
      help: "perplexity for the lowest, size for the largest reduction within --tolerance.",
      valueName: "name", completion: .words(Objective.names),
      parse: { (text) throws(InputError) in try word(text, what: "an objective", known: Objective.names) },
      print: { $0 }),
    .value(
      "tolerance", \.tolerance,
      help: "With --objective size: nats per token that the nll may rise by; \(Objective.defaultTolerance) by default.",
      valueName: "nats", parse: number
    ) { $0.map { "\($0)" } },
    .value(
      "confidence", \.confidence,
      help: "Confidence of the one-sided test that a reduction must pass; 0.5 keeps any decrease.", valueName: "share",
      parse: number
    ) { "\($0)" },
    .value(
      "fdr", \.falseDiscoveryRate, label: "false discovery rate",
      help: "Expected share of false positives among all that is kept; 1 judges each trial alone.", valueName: "share",
      parse: number
    ) { "\($0)" },
    .flag(
      "exhaustive", \.isExhaustive, help: "Run every trial over all windows, also when it cannot be accepted any more."),
    .value(
      "screening", \.screening, help: "What a trial's first windows are run in: float32 or bf16.",
      discussion:
        "A trial that they do not stop is run in float32, which decides. bf16 needs a processor and memory for it.",
      valueName: "precision", completion: .words(Precision.allCases.map(\.rawValue)), parse: SearchSettings.precision
    ) { $0.rawValue },
    .value(
      "budget", \.budget, help: "Stop after \(Budget.syntax), with what was found.", valueName: "amount",
      parse: SearchSettings.budget
    ) { $0?.description },
    .flag(
      "control", \.isControl, help: "Drop random directions instead of the weakest, for comparison (a control)."),
    .value(
      "convention", \.conventionName, help: "How perplexity is counted: \(Convention.names.joined(separator: ", ")).",
      discussion: "Numbers of different conventions or contexts do not compare.", valueName: "name",
      completion: .words(Convention.names),
      parse: { (text) throws(InputError) in try word(text, what: "a convention", known: Convention.names) },
      print: { $0 }),
    .value("context", \.context, help: "Tokens of a window.", valueName: "tokens", parse: integer) { "\($0)" },
    .value(
      "stride", \.stride, help: "How far a strided window advances; half the context by default.", valueName: "tokens",
      parse: integer
    ) { $0.map(String.init) },
    .value(
      "experts-per-token", \.expertsPerToken, label: "experts per token",
      help: "Experts that work on each token, if not as configured.", valueName: "count", parse: integer
    ) { $0.map(String.init) },
  ]
}
