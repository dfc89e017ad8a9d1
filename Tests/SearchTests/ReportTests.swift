import Reports
import Testing

@Suite struct ReportTests {
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
  }

  @Test func tables() {
    var table = Table(["name", "value"])
    table.append(["a|b", "1"])
    table.append(["c", "23"])
    #expect(table.plain == "  name  value\n  a|b       1\n  c        23")
    #expect(table.markdown == "| name | value |\n| --- | ---: |\n| a\\|b | 1 |\n| c | 23 |")
  }
}
