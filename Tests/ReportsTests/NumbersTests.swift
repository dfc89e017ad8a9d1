import Reports
import Testing

struct NumbersTests {
  @Test func numbers() {
    #expect(Numbers.fixed(3.14159, 2) == "3.14")
    #expect(Numbers.fixed(-0.04, 1) == "0.0")
    #expect(Numbers.fixed(-1.05, 2) == "−1.05")
    #expect(Numbers.fixed(2.999, 2) == "3.00")
    #expect(Numbers.fixed(12, 0) == "12")
    #expect(Numbers.fixed(.infinity, 2) == "∞")
    #expect(Numbers.signed(0.5, 1) == "+0.5")
    #expect(Numbers.signed(0.001, 1) == "0.0")
    #expect(Numbers.duration(3.21) == "3.2 s")
    #expect(Numbers.duration(65) == "1 min 05 s")
    #expect(Numbers.duration(7265) == "2 h 01 min")
    #expect(Numbers.bytes(999) == "999 B")
    #expect(Numbers.bytes(8_200_000) == "8.2 MB")
    #expect(Numbers.grouped(28392) == "28 392")
    #expect(Numbers.percent(0.1234, 1) == "12.3\u{A0}%")
    #expect(Numbers.signedPercent(-0.016, 1) == "−1.6\u{A0}%")
    #expect([0.00123, 12.34, 4567, 0].map { Numbers.significant($0, 2) } == ["0.0012", "12", "4567", "0"])
    #expect([-0.5, 12, 0.004, .infinity, 1 / 3].map(Numbers.coordinate) == ["-0.5", "12", "0", "0", "0.33"])
  }

  @Test func tables() {
    var table = Table(["name", "value"])
    table.append(["a|b", "1"])
    table.append(["c", "23"])
    #expect(table.plain == "  name  value\n  a|b       1\n  c        23")
    #expect(table.markdown == "| name | value |\n| --- | ---: |\n| a\\|b | 1 |\n| c | 23 |")
  }
}
