import Processes
import Testing
import ThreadProcesses
import Wording

@Suite struct ProcessGroupTests {
  @Test(arguments: [1, 2, 3, 7]) func everyThingIsSomebodys(count: Int) async throws {
    var generator = SystemRandomNumberGenerator()
    for length in [0, 1, 2, 6, 40] {
      let sizes = (0..<length).map { _ in Int.random(in: 0...300, using: &generator) }
      let shares = await ThreadTransport.run(count) { $0.share(of: sizes) }
      let ranges = try shares.map { try $0.get() }
      #expect(ranges.flatMap(Array.init) == Array(0..<length), "\(sizes) among \(count): \(ranges)")
      // Nobody has more than an equal part and the two things at its ends.
      let total = sizes.reduce(0, +)
      for range in ranges {
        #expect(sizes[range].reduce(0, +) <= total / count + 2 * (sizes.max() ?? 0))
      }
    }
  }

  @Test func equalThingsAreDividedEqually() async throws {
    let shares = await ThreadTransport.run(4) { $0.share(of: Array(repeating: 256, count: 12)).count }
    #expect(try shares.map { try $0.get() } == [3, 3, 3, 3])
  }

  @Test(arguments: [1, 2, 5]) func allGetAll(count: Int) async throws {
    let gathered = await ThreadTransport.run(count) { group in
      group.gather((0..<group.rank).map { 100 * group.rank + $0 })
    }
    let expected = (0..<count).map { rank in (0..<rank).map { 100 * rank + $0 } }
    for values in gathered { #expect(try values.get() == expected) }
    let texts = await ThreadTransport.run(count) { $0.gather("Nr. \($0.rank) – ") }
    for values in texts { #expect(try values.get() == (0..<count).map { "Nr. \($0) – " }) }
  }

  @Test func oneTellsTheOthers() async throws {
    let received = await ThreadTransport.run(3) { group in
      let numbers = group.broadcast(group.rank == 2 ? [1.5, -0.0, .infinity] : [], from: 2)
      return (numbers, try group.fromFirst { group.isFirst ? ["a", "ä"] : ["nobody asks"] })
    }
    for result in received {
      let (numbers, words) = try result.get()
      #expect(numbers == [1.5, 0, .infinity] && numbers[1].sign == .minus)
      #expect(words == ["a", "ä"])
    }
    let extremes = await ThreadTransport.run(3) { [$0.least(5 - $0.rank), $0.greatest(5 - $0.rank)] }
    for result in extremes { #expect(try result.get() == [3, 5]) }
  }

  @Test func differencesAreRefusedByAll() async throws {
    let same = await ThreadTransport.run(3) { try $0.refuseDifferences([("model", "m"), ("text", "t")]) }
    for result in same { #expect(throws: Never.self) { try result.get() } }
    let other = await ThreadTransport.run(3) { group in
      try group.refuseDifferences([("model", "m"), ("text", group.rank == 2 ? "x" : "t")])
    }
    for result in other {
      let error = #expect(throws: InputError.self) { try result.get() }
      let text = "\(try #require(error))"
      #expect(text.hasPrefix("process 2 on ") && text.contains("another text") && text.contains("x instead of t"))
    }
  }

  @Test func aloneNothingIsSaid() throws {
    let group = ProcessGroup.alone
    #expect(group.isAlone && group.isFirst && !group.isLaunched)
    #expect(group.gather([1, 2]) == [[1, 2]])
    #expect(group.broadcast([3], from: 0) == [3])
    #expect(try group.fromFirst { 4 } == 4)
    #expect(group.share(of: [1, 1, 1]) == 0..<3)
    #expect(group.neighbourhood().processes == 1)
  }
}
