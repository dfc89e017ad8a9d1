extension GGUFVocabulary {
  /// Compares the ids of the vocabulary with those of the tokenizer that it was made of, and notes what differs.
  ///
  /// Differences come from what llama.cpp has no words for, and every file of such a tokenizer has them, whoever wrote
  /// it: they are told. Where plain text loses more than one id in a hundred, or in ten of words cut by a pattern that
  /// llama.cpp has a name for, the vocabulary is not the tokenizer's.
  mutating func compare(with tokenizer: Tokenizer) throws(TokenizerError) {
    let own = try Tokenizer(self)
    func agree(_ texts: [String]) throws(TokenizerError) -> Bool {
      for text in texts {
        let ids = try own.encode(text, addSpecialTokens: false)
        guard try tokenizer.encode(text, addSpecialTokens: false) == ids else { return false }
      }
      return true
    }
    var (differing, count) = (0, 0)
    for text in Self.plainTexts {
      let ids = try tokenizer.encode(text, addSpecialTokens: false)
      count += ids.count
      differing += Self.changedCount(from: ids, to: try own.encode(text, addSpecialTokens: false))
    }
    // A name that llama.cpp has for the pattern stays the name, whatever it makes of marks and capitals beyond ASCII.
    if differing * (model == "llama" ? 100 : 10) > count {
      throw .unsupported(
        "a way to split words by which \(differing) of \(count) ids of plain text would be others in GGUF", at: "model")
    }
    let named = try model == "gpt2" ? namedPreTokenizer() : nil
    let hasOtherWords = named.map { $0.ignoresMarksAndCase && $0.steps != tokenizer.preTokenizer.ggufSteps } ?? false
    if differing > 0 || hasOtherWords {
      notes.append(
        "\(differing) of \(count) ids of a sample of plain text are others in GGUF: llama.cpp "
          + (hasOtherWords
            ? "cuts words otherwise that have marks, or capitals beyond ASCII"
            : named != nil
              ? "cuts words by an expression of its own"
              : "merges any neighbours that make a piece, not only the listed pairs"))
    }
    if try !agree([" a b", "  a b"]) {
      notes.append("text that begins with a space has other ids in GGUF: llama.cpp puts a space before it all the same")
    }
    let special = tokenizer.addedTokens.all.filter { $0.token.special && !$0.token.hasConditions }
    if let content = special.first.map({ String(decoding: $0.content, as: UTF8.self) }),
      try !agree(["a\(content)b", "a\(content) b"])
    {
      notes.append("text behind a special token has other ids in GGUF: llama.cpp puts a space before it")
    }
    let conditional = tokenizer.addedTokens.all.count { $0.token.hasConditions }
    if conditional > 0 {
      notes.append(
        "lstrip, rstrip and single_word of \(conditional) added \(conditional == 1 ? "token" : "tokens") are lost: "
          + "llama.cpp has none of them")
    }
    if tokenizer.normalizer.composes {
      notes.append("text that is not in Unicode's normal form has other ids in GGUF: llama.cpp does not normalize")
    }
  }

  /// How many ids at the end of one row are not those of the other, where the rows first differ, less the common end.
  private static func changedCount(from ids: [Int32], to others: [Int32]) -> Int {
    guard ids != others else { return 0 }
    let start = zip(ids, others).prefix { $0 == $1 }.count
    let most = min(ids.count, others.count) - start
    let end = min(most, zip(ids.reversed(), others.reversed()).prefix { $0 == $1 }.count)
    return max(1, max(ids.count, others.count) - start - end)
  }

  /// Sentences in many scripts, numbers and code. In normal form C, and none begins with a space; short, so that what
  /// differs in one leaves the others as they are.
  private static let plainTexts = [
    "The quick brown fox jumps over the lazy dog.", "It was founded in 1999 and had 12 345 members by 2024.",
    "Pi is 3.14159, e is 2.71828; 1,000,000 is 10^6, and 0x1F is 31.",
    "We'll see what they've done, won't we? I'm sure.",
    "\"Well,\" she said -- (quietly) -- \"it's over...\"", "Two  spaces,   three,    four.", "One line\nanother line",
    "A paragraph.\n\nAnother one.", "tab\tseparated\tvalues", "Price: $9.99 (incl. 19% VAT) / £8 / €7,50",
    "def f(x):\n    return x**2 + 1", "for (int i = 0; i < n; ++i) { sum += a[i]; }", "if x == 1:\n\tprint(\"yes\")\n",
    "https://example.org/path?query=a+b&page=2#top", "someone@example.com, @user, #topic",
    "{\"key\": [1, 2, null, true]}",
    "Größe, Straße, Übermut und Ärger", "Ça va très bien, merci à l'élève.", "¿Dónde está el niño? ¡Mañana!",
    "São Paulo não é a capital.", "Zażółć gęślą jaźń", "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "İstanbul'da ılık bir gün",
    "Быстрая лисица прыгает через ленивую собаку.", "Η γρήγορη αλεπού πηδάει.", "الثعلب البني السريع يقفز فوق الكلب",
    "השועל החום המהיר", "तेज़ भूरी लोमड़ी कूदती है।", "দ্রুত বাদামী শিয়াল", "สุนัขจิ้งจอกสีน้ำตาล", "敏捷的棕色狐狸跳过懒狗。",
    "素早い茶色の狐がのろまな犬を飛び越える", "빠른 갈색 여우가 게으른 개를 뛰어넘는다", "٣٤٥ و ١٢", "½ ⅓ ² ³ ₄ Ⅷ", "a≤b, c≠d, ∑x² → ∞",
    "👍 🙂 👩‍👩‍👧 🇫🇷 ☕️", "CamelCaseWords and snake_case_words and kebab-case-words", "ALL CAPS, aLtErNaTiNg, McDonald's",
    "100% of 50 is 50; 7/8 = 0.875; −5 °C", "3.5e-10 1e6 007 1984-06-05 12:30:45", "end of text ", "trailing\n", "x",
  ]
}
