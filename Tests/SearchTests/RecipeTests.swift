import Evaluation
import Models
import RankReduction
import Search
import Testing
import Wording

@Suite struct RecipeTests {
  private static let minimal = "model: m\ntext: a.txt\nheld_out: [b.txt, /c.txt]\nout: run\n"

  private static func only(yaml: String, folder: String) throws -> Recipe {
    let members = try RecipeFile(yaml: yaml, folder: folder).members
    #expect(members.count == 1)
    return try #require(members.first)
  }

  @Test func alternativesMakeABatch() throws {
    let file = try RecipeFile(
      yaml: "model: [x/a/one, x/b/two]\ntext: [x.txt, y.txt]\nroles: [[w1], [w2, w3]]\nout: runs\n"
        + "checkpoint: somewhere/lasered\n", folder: "here/")
    #expect(file.out == "here/runs")
    #expect(file.members.map(\.name) == ["one_w1", "one_w2+w3", "two_w1", "two_w2+w3"])
    #expect(file.members.map(\.settings.model) == ["here/x/a/one", "here/x/a/one", "here/x/b/two", "here/x/b/two"])
    #expect(file.members.map(\.settings.selection.roles) == [[.w1], [.w2, .w3], [.w1], [.w2, .w3]])
    #expect(file.members.allSatisfy { $0.settings.text == ["here/x.txt", "here/y.txt"] })
    #expect(file.members[1].out == "here/runs/one_w2+w3")
    #expect(file.members[1].products.checkpoint == "here/runs/one_w2+w3/lasered")
  }

  /// Values of the command line take the place of the recipe's, and their paths are not the recipe's.
  @Test func overrides() throws {
    let yaml = Self.minimal + "strategy: [sweep, greedy]\nexhaustive: true\ncheckpoint: c\n"
    let file = try RecipeFile(
      yaml: yaml, folder: "here/",
      overrides: ["strategy": ["noise-edge"], "out": ["there"], "text": ["t.txt"], "name": ["a/b"], "context": ["64"]])
    #expect(file.members.count == 1 && file.out == "there")
    let recipe = file.members[0]
    #expect(recipe.settings.strategy == .noiseEdge && recipe.settings.isExhaustive)
    #expect(recipe.settings.context == 64)
    #expect(recipe.settings.text == ["t.txt"] && recipe.settings.heldOut == ["here/b.txt", "/c.txt"])
    #expect(recipe.out == "there" && recipe.products.checkpoint == "here/c" && recipe.products.name == "a/b")
    let batch = try RecipeFile(yaml: yaml, folder: "here/", overrides: ["out": ["there"], "checkpoint": ["x/y"]])
    #expect(batch.members.map(\.out) == ["there/sweep", "there/greedy"])
    #expect(batch.members.map(\.products.checkpoint) == ["there/sweep/y", "there/greedy/y"])
    #expect(throws: InputError.self) { try RecipeFile(yaml: yaml, folder: "", overrides: ["strategi": ["sweep"]]) }
    #expect(throws: InputError.self) { try RecipeFile(yaml: yaml, folder: "", overrides: ["name": ["b"]]) }
  }

  /// What is no path beside the recipe may be the id of a model in the Hub's cache.
  @Test func idsOfTheHubStayIds() throws {
    let yaml = Self.minimal.replacing("model: m", with: "model: owner/name\nbase: deep/er/path")
    let recipe = try Self.only(yaml: yaml, folder: "here/")
    #expect(recipe.settings.model == "owner/name" && recipe.settings.base == "here/deep/er/path")
  }

  @Test func membersNeverShareAFolder() throws {
    let file = try RecipeFile(
      yaml: "model: [a/same, b/same, .., /]\ntext: x\nout: runs\nstrategy: [sweep, greedy]\n", folder: "")
    #expect(Set(file.members.map(\.out)).count == 8)
    #expect(file.members.allSatisfy { !$0.name.contains("/") && $0.name != ".." })
  }

  @Test func aBatchHasALimit() {
    let numbers = (2..<40).map(String.init).joined(separator: ", ")
    #expect(throws: InputError.self) {
      try RecipeFile(
        yaml: "model: m\ntext: x\nout: o\ncontext: [\(numbers)]\nconfidence: [\(numbers)]\n", folder: "")
    }
  }

  @Test(arguments: [
    ("200", Budget.trials(200)), ("90s", .seconds(90)), ("20m", .seconds(1200)), ("1h30m", .seconds(5400)),
    ("2d", .seconds(172_800)),
  ]) func budgets(text: String, budget: Budget) { #expect(Budget(text) == budget) }

  @Test(arguments: ["", "0", "-1", "1.5", "m", "20 m", "20x", "1m1h", "0s", "99999999999999999999s", "1h30"])
  func budgetsThatAreNone(text: String) { #expect(Budget(text) == nil) }

  @Test func pathsAreRelativeToTheRecipe() throws {
    let recipe = try Self.only(yaml: Self.minimal + "base: ../base\ncheckpoint: run/lasered\n", folder: "recipes/")
    #expect(recipe.settings.model == "recipes/m")
    #expect(recipe.settings.base == "recipes/../base")
    #expect(recipe.settings.text == ["recipes/a.txt"])
    #expect(recipe.settings.heldOut == ["recipes/b.txt", "/c.txt"])
    #expect(recipe.out == "recipes/run")
    #expect(recipe.products.checkpoint == "recipes/run/lasered")
  }

  @Test func valuesAndLists() throws {
    let recipe = try Self.only(
      yaml: Self.minimal + "convention: strided\ncontext: 64\nstride: 16\nroles: [gate_proj, w2]\nranks: [0.5, 64, 0]\n"
        + "strategy: sweep\n"
        + "layers: 0-1,3\nexperts: 2\nconfidence: 0.9\nfdr: 0.2\nexhaustive: true\n", folder: "")
    #expect(recipe.settings.convention == .strided(stride: 16))
    #expect(recipe.settings.selection.roles == [.w1, .w2])
    #expect(recipe.settings.rankRules == [.fraction(0.5), .rank(64), .rank(0)])
    #expect(recipe.settings.selection.layers.description == "0-1,3")
    #expect(recipe.settings.confidence == 0.9)
    #expect(recipe.settings.falseDiscoveryRate == 0.2)
    #expect(recipe.settings.isExhaustive)
    #expect(recipe.products.checkpoint == nil)
  }

  @Test(arguments: [
    ("contxt: 4", "contxt"), ("context: many", "context"), ("context: 1", "context"), ("ranks: [0.5, 1.5]", "1.5"),
    ("ranks: 0.5", "no ranks"), ("filter: blur", "blur"), ("damping: 0", "damping"),
    ("ranks: []", "ranks"), ("roles: [w4]", "w4"), ("layers: 5-2", "5-2"), ("confidence: 1", "confidence"),
    ("fdr: 0", "false discovery"),
    ("text: {a: b}", "text"), ("out: [a, b]", "out"), ("model: [a, a]", "model"), ("model: [[a], b]", "model"),
    ("strategy: random", "random"), ("strategy: noise-edge\nranks: 0.5", "noise-edge"), ("budget: 0", "budget"),
    ("objective: speed", "speed"), ("tolerance: 0.1", "tolerance"), ("objective: size\ntolerance: -1", "tolerance"),
    ("objective: size\nstrategy: greedy", "sweep"), ("convention: bleu", "bleu"),
    ("stride: 0\nconvention: strided", "stride"),
    ("a: b: c", "YAML"), ("exhaustive: perhaps", "exhaustive"), ("screening: float16", "float16"),
    ("factored: true", "checkpoint"), ("adapter_for_base: true", "adapter"), ("factored: often", "often"),
  ]) func refuses(line: String, named: String) {
    let key = line.prefix { $0 != ":" }
    let rest = Self.minimal.split(separator: "\n").filter { !$0.hasPrefix(key + ":") }.joined(separator: "\n")
    #expect { try RecipeFile(yaml: rest + "\n" + line + "\n", folder: "") } throws: { error in
      let text = "\(error)"
      return error is InputError && text.contains(named) && !text.contains("\n")
    }
  }

  @Test(arguments: ["model", "text", "out"]) func missesWhatIsRequired(key: String) {
    let rest = Self.minimal.split(separator: "\n").filter { !$0.hasPrefix(key + ":") }.joined(separator: "\n")
    #expect { try RecipeFile(yaml: rest, folder: "") } throws: { "\($0)".contains("\"\(key)\" is missing") }
  }

  @Test func indexLists() {
    #expect(IndexList("all")?.description == "all")
    #expect(IndexList("0-5, 7")?.description == "0-5,7")
    for text in ["", "5-", "-1", "3-1", "a", "1,,2", "99999999999999999999"] {
      #expect(IndexList(text) == nil, "\(text)")
    }
  }
}
