internal import Glibc

/// Numbers as reports print them: fixed digits, a typographic minus, no locale.
package enum Numbers {
  package static func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite else { return value.isNaN ? "not a number" : value < 0 ? "−∞" : "∞" }
    let scale = pow(10, Double(digits))
    let scaled = (abs(value) * scale).rounded(.toNearestOrAwayFromZero)
    guard scaled < 1e15 else { return "\(value)" }
    let whole = Int(scaled) / Int(scale)
    let part = String(Int(scaled) % Int(scale))
    let sign = value < 0 && scaled > 0 ? "−" : ""
    return digits == 0
      ? "\(sign)\(whole)" : "\(sign)\(whole).\(String(repeating: "0", count: digits - part.count))\(part)"
  }

  /// With a plus where it is positive.
  package static func signed(_ value: Double, _ digits: Int) -> String {
    let text = fixed(value, digits)
    return value > 0 && text.contains { "123456789".contains($0) } ? "+" + text : text
  }

  /// 12.5 %, with a space that does not break.
  package static func percent(_ share: Double, _ digits: Int) -> String { fixed(100 * share, digits) + "\u{A0}%" }

  package static func signedPercent(_ share: Double, _ digits: Int) -> String {
    signed(100 * share, digits) + "\u{A0}%"
  }

  /// So many significant digits, for quantities of any size: 0.00123, 12.3, 4560.
  package static func significant(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, value != 0 else { return fixed(value, 0) }
    let magnitude = Int(floor(log10(abs(value))))
    return fixed(value, min(15, max(0, digits - 1 - magnitude)))
  }

  /// A factor as people write it: 32, 0.5, 1.33.
  package static func plain(_ value: Double) -> String {
    var text = significant(value, 3)
    guard text.contains(".") else { return text }
    while text.hasSuffix("0") { text.removeLast() }
    return text.hasSuffix(".") ? String(text.dropLast()) : text
  }

  /// As CSS and SVG read numbers: at most two decimals, none that are zero, an ASCII minus.
  package static func coordinate(_ value: Double) -> String {
    var text = fixed(value.isFinite ? value : 0, 2)
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text.hasPrefix("−") ? "-" + text.dropFirst() : text
  }

  /// 1 min 05 s, 3.2 s
  package static func duration(_ seconds: Double) -> String {
    guard seconds < 1e12 else { return "∞" }
    if seconds < 60 { return fixed(seconds, 1) + " s" }
    let total = Int(seconds.rounded())
    if total < 3600 { return "\(total / 60) min \(twoDigits(total % 60)) s" }
    return "\(total / 3600) h \(twoDigits(total % 3600 / 60)) min"
  }

  /// 8.2 MB, 48.0 GB
  package static func bytes(_ count: Int) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"]
    var value = Double(count)
    var unit = 0
    while value >= 1000, unit < units.count - 1 {
      value /= 1000
      unit += 1
    }
    return unit == 0 ? "\(count) B" : "\(fixed(value, 1)) \(units[unit])"
  }

  /// 28 392
  package static func grouped(_ value: Int) -> String {
    let digits = Array(String(abs(value)))
    var result = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { result += " " }
      result.append(digit)
    }
    return value < 0 ? "−" + result : result
  }

  private static func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}

/// "1 matrix", "46 matrices"
func matrices(_ count: Int) -> String { "\(Numbers.grouped(count)) \(count == 1 ? "matrix" : "matrices")" }
