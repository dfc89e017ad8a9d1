internal import ArgumentParser
internal import Search
internal import Wording

/// Settings of a search as options of a command: the rows of `Setting.all`, or some of them.
///
/// ArgumentParser finds options by reflection and reads them back by their names; both are answered from the table
/// here, so that help, completion, the manual and parsing follow it without a line for each option.
struct SettingOptions<Selection: SettingSelection>: ParsableArguments, CustomReflectable {
  private var values: [String: [String]] = [:]

  init() {}

  private struct Key: CodingKey {
    let stringValue: String
    init(stringValue: String) { self.stringValue = stringValue }
    let intValue: Int? = nil
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    for setting in Selection.settings {
      let key = Key(stringValue: setting.name)
      let texts: [String]
      switch setting.shape {
      case .flag: texts = try container.decode(Flag<Bool>.self, forKey: key).wrappedValue ? ["true"] : []
      case .files: texts = try container.decode(Option<[String]>.self, forKey: key).wrappedValue
      case .value, .set:
        texts =
          setting.isPositional
          ? [try container.decode(Argument<String>.self, forKey: key).wrappedValue]
          : try container.decode(Option<String?>.self, forKey: key).wrappedValue.map { [$0] } ?? []
      }
      if !texts.isEmpty { values[setting.key] = texts }
    }
  }

  var customMirror: Mirror {
    Mirror(
      self, children: Selection.settings.map { (label: "_" + $0.name, value: $0.argument) }, displayStyle: .struct)
  }

  /// - Throws: `ValidationError` for values that are none.
  func validate() throws { _ = try settings }

  /// What was given, by the settings' keys.
  var given: [String: [String]] { values }

  /// What was given, the other settings at their defaults.
  var settings: SearchSettings {
    get throws {
      do {
        let settings = try SearchSettings(values) { $0.isPositional ? $0.valueName : "--\($0.name)" }
        try Selection.validate(settings)
        return settings
      } catch {
        throw ValidationError("\(error)")
      }
    }
  }
}

/// Which settings a command has.
protocol SettingSelection: Sendable {
  static var settings: [Setting] { get }
  /// - Throws: `InputError` for values that do not go together.
  static func validate(_ settings: SearchSettings) throws(InputError)
}

/// All of them.
enum SearchSelection: SettingSelection {
  static var settings: [Setting] { Setting.all }
  static func validate(_ settings: SearchSettings) throws(InputError) { try settings.validate() }
}

/// Which matrices of a model a command looks at.
enum SiteSelectionSettings: SettingSelection {
  static var settings: [Setting] { ["layers", "experts", "roles"].compactMap(Setting.named) }
  static func validate(_ settings: SearchSettings) {}
}

/// How texts are cut into windows.
enum WindowSettings: SettingSelection {
  static var settings: [Setting] { ["convention", "context", "stride"].compactMap(Setting.named) }
  static func validate(_ settings: SearchSettings) throws(InputError) { try settings.validateWindows() }
}

/// All of them, none of which has to be given: a recipe has them.
enum RecipeOverrides: SettingSelection {
  static var settings: [Setting] { Setting.all.map(\.asOption) }
  static func validate(_ settings: SearchSettings) {}
}

typealias SearchOptions = SettingOptions<SearchSelection>
typealias SiteOptions = SettingOptions<SiteSelectionSettings>
typealias WindowOptions = SettingOptions<WindowSettings>

extension Setting {
  /// The argument that ArgumentParser declares for a setting.
  fileprivate var argument: Any {
    let start = shape == .files || shape == .flag ? [] : write(SearchSettings()).filter { !$0.isEmpty }
    let text = start.isEmpty || isPositional ? help : "\(help) (default: \(start.joined(separator: ",")))"
    let help = ArgumentHelp(
      "\(text)", discussion: discussion, valueName: valueName.isEmpty ? name : valueName)
    let name = NameSpecification.customLong(name)
    switch shape {
    case .flag: return Flag<Bool>(wrappedValue: false, name: name, help: help)
    case .files:
      return isRequired
        ? Option<[String]>(name: name, parsing: .upToNextOption, help: help, completion: kind)
        : Option<[String]>(wrappedValue: [], name: name, parsing: .upToNextOption, help: help, completion: kind)
    case .value, .set:
      return isPositional
        ? Argument<String>(help: help, completion: kind) : Option<String?>(name: name, help: help, completion: kind)
    }
  }

  private var kind: CompletionKind {
    switch completion {
    case .nothing: .default
    case .files, .models: .file()
    case .words(let words):
      shape == .set ? .custom { _, _, beginning in Self.completions(of: beginning, words: words) } : .list(words)
    }
  }

  /// What a list that was begun can go on with: "w1,w" with w1,w2 and w1,w3.
  private static func completions(of beginning: String, words: [String]) -> [String] {
    // zsh and fish ask with the option before it: "--roles=w1,w".
    let list = beginning.hasPrefix("--") ? beginning.drop { $0 != "=" }.dropFirst() : beginning[...]
    let taken = list.split(separator: ",", omittingEmptySubsequences: false).dropLast().map(String.init)
    let lists = words.filter { !taken.contains($0) }.map { (taken + [$0]).joined(separator: ",") }
    // To zsh, a description follows a colon.
    return CompletionShell.requesting == .zsh ? lists.map { $0.replacing(":", with: "\\:") } : lists
  }
}
