internal import Checkpoints

/// The members of a config.json, in the order in which they are written.
struct ConfigurationMembers {
  private(set) var all: [JSON.Member]

  init(_ all: [JSON.Member] = []) { self.all = all }

  var json: JSON { .object(all) }

  /// Puts the value where the key stands, or at the end.
  mutating func set(_ key: String, _ value: JSON) {
    let member = JSON.Member(key: key, value: value)
    if let index = all.firstIndex(where: { $0.key == key }) { all[index] = member } else { all.append(member) }
  }

  mutating func set(_ members: [JSON.Member]) { for member in members { set(member.key, member.value) } }

  /// Null counts as missing.
  mutating func setIfMissing(_ key: String, _ value: JSON) {
    if all.first(where: { $0.key == key })?.value.isNull != false { set(key, value) }
  }
}
