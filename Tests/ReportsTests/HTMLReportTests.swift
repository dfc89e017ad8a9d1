import Foundation
import FoundationXML
import Inference
import Models
import RankReduction
import Reports
import Search
import Testing

struct HTMLReportTests {
  /// Every shape that a search can end in.
  private static let samples: [(name: String, sample: SampleOutcome)] = {
    var samples: [(String, SampleOutcome)] = [("usual", SampleOutcome())]
    func add(_ name: String, _ change: (inout SampleOutcome) -> Void) {
      var sample = SampleOutcome()
      change(&sample)
      samples.append((name, sample))
    }
    add("nothing kept") { $0.keepsEvery = 0 }
    add("does not hold") { $0.heldOutGain = -0.01 }
    add("dense") { $0.experts = nil }
    add("attention too") { $0.roles = [.query, .output, .w1] }
    add("one trial") { ($0.layers, $0.experts, $0.roles, $0.ranks) = (1, nil, [.w1], [8]) }
    add("no trial") { $0.layers = 0 }
    add("plain, one text, halves") {
      ($0.base, $0.searchTexts, $0.heldOutTexts) = (nil, ["a.txt"], ["a.txt"])
    }
    add("old journal") { ($0.hasSpectra, $0.hasRouting) = (false, false) }
    add("control") { $0.isControl = true }
    add("size") { $0.tolerance = 0.01 }
    func add(_ name: String, _ sample: SampleOutcome) { samples.append((name, sample)) }
    add("filters", .filters())
    add("filters of the weights", .filters(.reweight) { $0.base = nil })
    add("filters, nothing kept", .filters { ($0.keepsEvery, $0.alternativeGains) = (0, []) })
    add("filters, nothing known", .filters { ($0.hasSpectra, $0.layers, $0.partSizes) = (false, 0, []) })
    add(
      "filters, hostile",
      .filters {
        $0.alternativeGains = [("<script>alert(1)</script>", 0.1), (#"a "name" & ]]>"#, 0.001)]
      })
    add("hostile") {
      $0.model = "runs/<script>alert(1)</script>"
      $0.base = #"a "base" & </style><img src=x onerror=alert(1)>"#
      $0.searchTexts = [#"<script>"&.txt"#, "it's\u{0}\u{7}\n.txt"]
      $0.heldOutTexts = ["]]>", "<!-- --> &lt;"]
    }
    return samples
  }()

  @Test(arguments: samples.map(\.name)) func isWellFormedAndStandsAlone(_ name: String) throws {
    let sample = try #require(Self.samples.first { $0.name == name }).sample
    let text = try HTMLReport.text(sample.outcome)
    let page = try Page(parsing: text)
    for reference in page.references {
      #expect(
        reference == "https://arxiv.org/abs/2312.13558" || page.anchors.contains(reference),
        "nothing is fetched, and links lead to sections and the paper alone")
    }
    for forbidden in ["@import", "url(", "<script", "<link", "<img", "<iframe", "onerror=\""] {
      #expect(!text.contains(forbidden), "\(forbidden)")
    }
    #expect(page.elements.isSuperset(of: ["html", "head", "body", "main", "style", "svg"]))
    #expect(!text.contains("nan") && !text.contains("inf\""))
  }

  @Test func oneJournalGivesTheSameBytes() throws {
    let first = try HTMLReport.text(SampleOutcome().outcome)
    #expect(try HTMLReport.text(SampleOutcome().outcome) == first)
    #expect(first.utf8.count < 200_000)
  }

  @Test func namesAreTextAndNothingElse() throws {
    let sample = try #require(Self.samples.first { $0.name == "hostile" }).sample
    let page = try Page(parsing: try HTMLReport.text(sample.outcome))
    #expect(page.text.contains(#"<script>"&.txt"#))
    #expect(page.text.contains("it's\u{FFFD}\u{FFFD}"))
    #expect(page.text.contains(#"'a "base" & </style><img src=x onerror=alert(1)>'"#), "quoted for the shell")
    #expect(!page.elements.contains("script"))
  }

  @Test func saysWhatWasFound() throws {
    let text = try Page(parsing: HTMLReport.text(SampleOutcome().outcome)).text
    for words in [
      "The model got better", "6 matrices of 12 are reduced", "Where the gains are", "How they add up",
      "Change against kept fraction", "Singular values", "Effective rank by layer", "Routing of the original model",
      "The plan",
      "laser search runs/posy/model", "--base runs/posy/base", "--ranks 0.5,0.125", "00000000000000aa", "1 min 23 s",
      "2026-01-02 03:04 UTC · A processor, 2 threads, 8 GB · laser 0.0.0", "Trial history", "95\u{A0}% interval",
      "layer 2 expert 0 w1: kept at rank 32 of 64",
    ] {
      #expect(text.contains(words), "\(words)")
    }
    var old = SampleOutcome()
    (old.hasSpectra, old.hasRouting, old.keepsEvery) = (false, false, 0)
    let less = try Page(parsing: HTMLReport.text(old.outcome)).text
    #expect(less.contains("No reduction helped"))
    for words in ["Singular values", "Routing", "The plan", "How they add up"] {
      #expect(!less.contains(words), "\(words)")
    }
  }

  /// Of a matrix that was reduced in two steps, the plan has the whole effect and the last step.
  @Test func thePlanAddsUp() throws {
    var sample = SampleOutcome()
    sample.steps = 2
    let outcome = try sample.outcome
    let report = MarkdownReport.text(outcome)
    #expect(report.contains("| layer | expert | role | rank | of | whole effect | last step |"))
    #expect(report.contains("| 2 | 0 | w1 | 8 | 64 | −0.00200 in 2 steps | −0.00100 ± 0.00030 |"), "\(report)")
    #expect(report.contains("add up to −0.0240; the finished model measures −0.0301"))
    #expect(report.contains("of 12 accepted steps in 24 trials"))
    #expect(SummaryText.done(outcome) == "Reduced: 12 accepted steps on 6 matrices; 24 trials")
    #expect(HTMLReport.text(outcome).contains("<th>whole effect</th><th>last step</th>"))
    #expect(!MarkdownReport.text(try SampleOutcome().outcome).contains("last step"))
  }

  @Test func halvesOfATextHaveNamesOfTheirOwn() throws {
    var sample = SampleOutcome()
    (sample.searchTexts, sample.heldOutTexts) = (["x/a.txt", "y/a.txt"], ["x/a.txt", "y/a.txt"])
    let names = TextNames(try sample.outcome)
    #expect(names.search == ["x/a.txt, first half", "y/a.txt, first half"])
    #expect(names.heldOut == ["x/a.txt, second half", "y/a.txt, second half"])
    (sample.searchTexts, sample.heldOutTexts) = (["search/a.txt"], ["heldout/a.txt"])
    let others = TextNames(try sample.outcome)
    #expect(others.search == ["search/a.txt"] && others.heldOut == ["heldout/a.txt"])
  }

  @Test func whatChangedNothingOrMadeItWorseIsSaidSo() throws {
    var sample = SampleOutcome()
    (sample.strategy, sample.layers) = ("noise-edge", 0)
    let nothing = VerdictText(try sample.outcome)
    #expect(
      nothing.sentences.joined()
        == "Nothing was reduced: noise-edge found no matrix that it would change. The model is left as it is.")
    #expect(try HTMLReport.text(sample.outcome).contains("Nothing was reduced, and the model is left as it is."))
    var worse = SampleOutcome()
    (worse.searchGain, worse.heldOutGain) = (-0.01, -0.01)
    #expect(try VerdictText(worse.outcome).sentences.joined().hasPrefix("The model got worse on held-out text: +0.01"))
  }

  @Test(arguments: [(32, 8), (60, 64)]) func bigModelsGiveAPageOfAFewMegabytes(_ layers: Int, _ experts: Int) throws {
    var sample = SampleOutcome()
    (sample.layers, sample.experts, sample.roles) = (layers, experts, [.query, .key, .value, .output, .w1, .w2, .w3])
    (sample.hasSpectra, sample.hasRouting, sample.keepsEvery) = (experts < 64, experts < 64, 5)
    let text = try HTMLReport.text(sample.outcome)
    #expect(text.utf8.count < 4_000_000)
    #expect(try Page(parsing: text).text.contains("more are not shown"))
  }

  @Test func aDrawingIsAFileOfItsOwn() throws {
    let spectra = try SampleOutcome().outcome.spectra
    let tables = SpectrumTables(model: "<model>", base: nil, spectra)
    let page = try Page(parsing: tables.drawing)
    #expect(page.text.contains("<model>") && page.elements.contains("polyline"))
    #expect(page.references.isEmpty)
    #expect(tables.plain.split(separator: "\n").allSatisfy { terminalWidth($0) <= 80 })
  }
}

/// A page as an XML parser reads it.
private final class Page: NSObject, XMLParserDelegate {
  private(set) var elements: Set<String> = []
  private(set) var references: [String] = []
  /// Where links within the page lead.
  private(set) var anchors: Set<String> = []
  private(set) var text = ""

  init(parsing source: String) throws {
    super.init()
    let parser = XMLParser(data: Data(source.utf8))
    parser.delegate = self
    let isWellFormed = parser.parse()
    try #require(isWellFormed, "line \(parser.lineNumber): \(String(describing: parser.parserError))")
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String] = [:]
  ) {
    elements.insert(name)
    if let id = attributes["id"] { anchors.insert("#" + id) }
    for (name, value) in attributes {
      if ["src", "href", "xlink:href", "data", "srcset", "action"].contains(name) { references.append(value) }
      if name.hasPrefix("on") { references.append("a script in \(name)") }
    }
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
}
