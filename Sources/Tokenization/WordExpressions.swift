/// The regular expressions by which the vocabularies of well-known models cut words, and what llama.cpp has in place of
/// some: contractions by ASCII only, and of letters only those of ASCII told apart by case.
enum WordExpressions {
  /// openai/gpt-2, src/encoder.py.
  static let gpt2 = "'s|'t|'re|'ve|'m|'ll|'d" + gpt2End
  static let shortGPT2 = "'(?:[sdmt]|ll|ve|re)" + gpt2End
  private static let gpt2End = #"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  static let contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
  static let ggufContraction = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"

  static func modern(_ contraction: String, number: String) -> String {
    contraction + #"|[^\r\n\p{L}\p{N}]?\p{L}+|"# + number
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  static let ggufLlama3 = modern(ggufContraction, number: #"\p{N}{1,3}"#)
  /// Llama 3's, and OpenAI's cl100k, which gives the same matches.
  static let llama3 = [modern(contraction, number: #"\p{N}{1,3}"#), possessive(number: #"\p{N}{1,3}"#)]
  static let ggufQwen2 = modern(ggufContraction, number: #"\p{N}"#)
  static let qwen2 = modern(contraction, number: #"\p{N}"#)

  static func possessive(number: String) -> String {
    #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|"# + number
      + #"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"#
  }

  static func bailing(_ contraction: String) -> String {
    contraction
      + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"#
  }

  static func seedCoder(_ contraction: String) -> String {
    contraction + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  /// Marks belong to words.
  static func qwen35(_ contraction: String) -> String {
    contraction
      + #"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  /// OpenAI's o200k and Mistral's tekken: words end before a capital.
  ///
  /// - Parameter ending: What may stand behind the letters of a word.
  static func byCase(number: String = #"\p{N}{1,3}"#, ending: String = "") -> String {
    let (upper, lower) = (#"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#, #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#)
    let before = #"[^\r\n\p{L}\p{N}]?"#
    return before + upper + "*" + lower + "+" + ending + "|" + before + upper + "+" + lower + "*" + ending
      + byCaseEnd(number)
  }

  static func ggufByCase(
    letter: String = #"\p{L}"#, number: String = #"\p{N}{1,3}"#, ending: String = ""
  ) -> String {
    let (upper, lower) = ("((?=[\(letter)])([^a-z]))", "((?=[\(letter)])([^A-Z]))")
    let before = #"[^\r\n\p{L}\p{N}]?"#
    return before + upper + "*" + lower + "+" + ending + "|" + before + upper + "+" + lower + "*" + ending
      + byCaseEnd(number)
  }

  /// llama.cpp's of the same classes, all of whose categories of letters are one to it.
  static let ggufWithoutCase =
    #"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+"# + ggufContraction + "?" + byCaseEnd(#"\p{N}{1,3}"#)

  private static func byCaseEnd(_ number: String) -> String {
    "|" + number + #"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  /// The last of DeepSeek V3's three.
  static let deepSeek3 =
    ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##
    + #"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

  /// DeepSeek LLM's, of letters with two cases.
  static let spacedLetters = #"\s?["# + casedLetters + "]+"
  private static let casedLetters =
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕ"
    + "ἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭ"
    + "Ꚁ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃"
}
