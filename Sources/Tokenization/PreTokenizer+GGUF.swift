extension PreTokenizer.Cut {
  static let gpt2 = Self.split(.gpt2)

  init(_ step: GGUFPreTokenizer.Step) {
    switch step {
    case .digits(let individually): self = .digits(individually: individually)
    case .isolating(let expression):
      self = expression == WordExpressions.gpt2 ? .gpt2 : .split(PatternSplit(known: expression))
    }
  }
}
