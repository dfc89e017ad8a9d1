import Evaluation
import Inference
import RankReduction
import Search
import Testing

@Suite struct RecipeTests {
  private static let minimal = "model: m\ntext: a.txt\nheld_out: [b.txt, /c.txt]\nout: run\n"

  @Test func pathsAreRelativeToTheRecipe() throws {
    let recipe = try Recipe(yaml: Self.minimal + "base: ../base\ncheckpoint: run/lasered\n", folder: "recipes/")
    #expect(recipe.settings.model == "recipes/m")
    #expect(recipe.settings.base == "recipes/../base")
    #expect(recipe.settings.text == ["recipes/a.txt"])
    #expect(recipe.settings.heldOut == ["recipes/b.txt", "/c.txt"])
    #expect(recipe.out == "recipes/run")
    #expect(recipe.checkpoint == "recipes/run/lasered")
  }

  @Test func valuesAndLists() throws {
    let recipe = try Recipe(
      yaml: Self.minimal + "convention: strided\ncontext: 64\nstride: 16\nroles: [gate_proj, w2]\nranks: [0.5, 64, 0]\n"
        + "layers: 0-1,3\nexperts: 2\nconfidence: 0.9\nfdr: 0.2\nexhaustive: true\n", folder: "")
    #expect(recipe.settings.convention == .strided(stride: 16))
    #expect(recipe.settings.selection.roles == [.w1, .w2])
    #expect(recipe.settings.ranks == [.fraction(0.5), .rank(64), .rank(0)])
    #expect(recipe.settings.selection.layers.description == "0-1,3")
    #expect(recipe.settings.confidence == 0.9)
    #expect(recipe.settings.falseDiscoveryRate == 0.2)
    #expect(recipe.settings.isExhaustive)
    #expect(recipe.checkpoint == nil)
  }

  @Test(arguments: [
    ("contxt: 4", "contxt"), ("context: many", "context"), ("context: 1", "context"), ("ranks: [0.5, 1.5]", "1.5"),
    ("ranks: []", "ranks"), ("roles: [w4]", "w4"), ("layers: 5-2", "5-2"), ("confidence: 1", "confidence"),
    ("fdr: 0", "false discovery"),
    ("text: {a: b}", "text"), ("model: [a, b]", "model"), ("convention: bleu", "bleu"),
    ("stride: 0\nconvention: strided", "stride"),
    ("a: b: c", "YAML"), ("exhaustive: perhaps", "exhaustive"),
  ]) func refuses(line: String, named: String) {
    let key = line.prefix { $0 != ":" }
    let rest = Self.minimal.split(separator: "\n").filter { !$0.hasPrefix(key + ":") }.joined(separator: "\n")
    #expect { try Recipe(yaml: rest + "\n" + line + "\n", folder: "") } throws: { error in
      let text = "\(error)"
      return error is SearchError && text.contains(named) && !text.contains("\n")
    }
  }

  @Test(arguments: ["model", "text", "out"]) func missesWhatIsRequired(key: String) {
    let rest = Self.minimal.split(separator: "\n").filter { !$0.hasPrefix(key + ":") }.joined(separator: "\n")
    #expect { try Recipe(yaml: rest, folder: "") } throws: { "\($0)".contains("\"\(key)\" is missing") }
  }

  @Test func indexLists() {
    #expect(IndexList("all")?.description == "all")
    #expect(IndexList("0-5, 7")?.description == "0-5,7")
    for text in ["", "5-", "-1", "3-1", "a", "1,,2", "99999999999999999999"] {
      #expect(IndexList(text) == nil, "\(text)")
    }
  }

  @Test func relativePaths() {
    #expect(relativePath(to: "/a/b/c", from: "/a/d") == "../b/c")
    #expect(relativePath(to: "/a/./b/../c", from: "/a") == "c")
    #expect(relativePath(to: "/a", from: "/a") == ".")
  }
}
