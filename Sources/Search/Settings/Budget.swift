/// How much a search may try: a number of trials, or a time.
package enum Budget: Sendable, Equatable, CustomStringConvertible {
  case trials(Int)
  case seconds(Int)

  package static let syntax = "a number of trials (200) or a time (90s, 20m, 2h, 1h30m)"

  package init?(_ text: String) {
    if let trials = Int(text) {
      guard trials > 0 else { return nil }
      self = .trials(trials)
      return
    }
    let units: [(Character, Int)] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)]
    var seconds = 0
    var number = ""
    var unitsLeft = units[...]
    for character in text {
      if character.isASCII, character.isNumber {
        number.append(character)
        continue
      }
      // Each unit once, from the largest down.
      guard let place = unitsLeft.firstIndex(where: { $0.0 == character }), let count = Int(number), count < 1 << 30
      else {
        return nil
      }
      seconds += count * units[place].1
      number = ""
      unitsLeft = unitsLeft[(place + 1)...]
    }
    guard number.isEmpty, seconds > 0 else { return nil }
    self = .seconds(seconds)
  }

  package var description: String {
    switch self {
    case .trials(let count): "\(count)"
    case .seconds(let seconds): "\(seconds)s"
    }
  }

  /// Whether another trial may be made, after so many and so long.
  func allows(trials: Int, seconds: Double) -> Bool {
    switch self {
    case .trials(let count): trials < count
    case .seconds(let limit): seconds < Double(limit)
    }
  }

  /// A share of the budget, at least one trial or second of it.
  func part(_ share: Double) -> Budget {
    switch self {
    case .trials(let count): .trials(max(1, Int(Double(count) * share)))
    case .seconds(let seconds): .seconds(max(1, Int(Double(seconds) * share)))
    }
  }
}
