package import Wording

// Settings as values by key: what recipes, the command line and journals hold.

extension SearchSettings {
  /// Reads some values; keys that are missing have their defaults.
  ///
  /// - Parameters:
  ///   - values: By the setting's key.
  ///   - spelled: The key as the one who gave it wrote it, for errors.
  /// - Throws: `InputError` that names the key and the value, or says what does not go together.
  package init(_ values: [String: [String]], spelled: (Setting) -> String) throws(InputError) {
    self.init()
    for setting in Setting.all {
      guard let texts = values[setting.key] else { continue }
      do { try setting.read(texts, &self) } catch { throw InputError("\(spelled(setting)): \(error)") }
    }
  }

  /// Every setting that has a value, with the values that read back as the same settings.
  package var written: [(setting: Setting, values: [String])] {
    Setting.all.map { ($0, $0.write(self)) }.filter { !$0.values.isEmpty }
  }
}

extension SearchSettings: Codable {
  private struct Key: CodingKey {
    let stringValue: String
    init(stringValue: String) { self.stringValue = stringValue }
    let intValue: Int? = nil
    init?(intValue: Int) { nil }
  }

  /// A text for each key with one value, an array of texts for paths of which there may be several.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    for (setting, values) in written {
      let key = Key(stringValue: setting.key)
      if setting.shape == .files {
        try container.encode(values, forKey: key)
      } else {
        try container.encode(values.joined(separator: ","), forKey: key)
      }
    }
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    var values: [String: [String]] = [:]
    for key in container.allKeys {
      guard let setting = Setting.all.first(where: { $0.key == key.stringValue }) else {
        throw InputError(
          unknownWord(key.stringValue, what: "a setting", known: Setting.all.map(\.key)))
      }
      values[setting.key] =
        setting.shape == .files
        ? try container.decode([String].self, forKey: key) : [try container.decode(String.self, forKey: key)]
    }
    try self.init(values) { "\"\($0.key)\"" }
  }
}
