package import Checkpoints

/// Changes of a JSON value that leave it JSON: other values in the same places, members and elements taken out,
/// doubled, exchanged and brought from elsewhere.
extension Mutator {
  /// One of the corpus, changed in one to three places.
  package mutating func mutated(_ corpus: [JSON]) -> JSON {
    var value = corpus[below(corpus.count)]
    for _ in 0...below(3) { value = changed(value, corpus) }
    return value
  }

  /// Goes down to some part, and changes that.
  private mutating func changed(_ value: JSON, _ corpus: [JSON]) -> JSON {
    switch value {
    case .object(var members) where !members.isEmpty && below(6) > 0:
      let place = below(members.count)
      members[place] = JSON.Member(key: members[place].key, value: changed(members[place].value, corpus))
      return .object(members)
    case .array(var elements) where !elements.isEmpty && below(6) > 0:
      let place = below(elements.count)
      elements[place] = changed(elements[place], corpus)
      return .array(elements)
    case _ where below(8) == 0: return part(of: corpus[below(corpus.count)])
    default: return other(value, corpus)
    }
  }

  private mutating func other(_ value: JSON, _ corpus: [JSON]) -> JSON {
    switch value {
    case .null: return part(of: corpus[below(corpus.count)])
    case .boolean(let flag): return .boolean(!flag)
    case .integer(let number):
      return .integer(
        [number &+ 1, number &- 1, 0, 1, -1, below(16), 1 << below(62), -1 << below(63), Int.max, Int.min][below(10)])
    case .number(let number): return .number([-number, number + 1, 0, 1e30, 1e308, .leastNonzeroMagnitude][below(6)])
    case .string(let text):
      let word = words[below(words.count)]
      return .string([word, text + word, word + text, String(text.dropFirst()), String(text.dropLast())][below(5)])
    case .array(var elements):
      let place = below(elements.count)
      switch below(4) {
      case 0 where !elements.isEmpty: elements.remove(at: place)
      case 1 where !elements.isEmpty: elements.insert(elements[below(elements.count)], at: place)
      case 2 where !elements.isEmpty: elements.swapAt(place, below(elements.count))
      default: elements.insert(part(of: corpus[below(corpus.count)]), at: place)
      }
      return .array(elements)
    case .object(var members):
      let place = below(members.count)
      switch below(4) {
      case 0 where !members.isEmpty: members.remove(at: place)
      case 1 where !members.isEmpty: members.swapAt(place, below(members.count))
      case 2 where !members.isEmpty:
        let value = members[below(members.count)].value
        members[place] = JSON.Member(key: members[place].key, value: value)
      default:
        let key = words[below(words.count)]
        // A key that is there already would make the file no JSON.
        guard !members.contains(where: { $0.key.utf8.elementsEqual(key.utf8) }) else { break }
        members.insert(JSON.Member(key: key, value: .integer(members.count)), at: place)
      }
      return .object(members)
    }
  }

  /// Any part of a value, smaller ones more often.
  private mutating func part(of value: JSON) -> JSON {
    let parts = value.array ?? value.members?.map(\.value) ?? []
    return parts.isEmpty || below(4) == 0 ? value : part(of: parts[below(parts.count)])
  }

  /// Words that tokenizers are made of.
  static let words = [
    "", "a", "b", "ab", "ba", " ", "a ", "▁", "▁▁", "Ġ", "Ġa", "<s>", "</s>", "<unk>", "<0x41>", "<0x0A>", "<0xFF>",
    "é",
    "e\u{301}", "\u{1F600}", "\u{0}", "\u{FFFD}", "12", "#version: 0.2", "aa", "NFKC", "NFD", "first", "always",
    "Removed",
  ]
}
