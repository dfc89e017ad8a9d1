/// What is wrong with a word that is none of those known, which of them may be meant, and what they are.
package func unknownWord(_ word: String, what: String, known: [String]) -> String {
  let meant = closest(to: word, among: known).map { " (did you mean \($0)?)" } ?? ""
  return "\"\(word)\" is not \(what)\(meant); known are \(known.joined(separator: ", "))"
}

/// The word that is a slip or two away, if there is one.
package func closest(to word: String, among known: [String]) -> String? {
  let word = word.lowercased()
  let closest = known.map { (name: $0, distance: editDistance(word, $0.lowercased())) }.min {
    $0.distance < $1.distance
  }
  guard let closest, closest.distance <= max(1, min(word.count, closest.name.count) / 3) else { return nil }
  return closest.name
}

/// How many letters must be put in, left out, exchanged or swapped with their neighbour (Damerau 1964).
func editDistance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a.prefix(100)), Array(b.prefix(100)))
  var rows = [Array(0...b.count)]
  for i in a.indices {
    var row = [i + 1]
    for j in b.indices {
      var best = min(rows[i][j] + (a[i] == b[j] ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
      row.append(best)
    }
    rows.append(row)
  }
  return rows[a.count][b.count]
}
