internal import ArgumentParser
internal import RankReduction
internal import Search

/// Which matrices of a model a command looks at.
struct SiteOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Layers, as in 0-5,7; or all.", valueName: "list"))
  var layers = "all"

  @Option(
    help: ArgumentHelp(
      "Experts, as in 0,2; or all, which takes the layers without experts too. A shared expert is selected by its roles.",
      valueName: "list"))
  var experts = "all"

  @Option(
    help: ArgumentHelp(
      "Roles of matrices: w1 (or gate_proj), w2 (down_proj), w3 (up_proj); shared_w1, shared_w2, shared_w3; q_proj, k_proj, "
        + "v_proj, o_proj.",
      valueName: "list"))
  var roles = SearchSettings.defaultRoles

  func validate() throws { _ = try selection }

  var selection: SiteSelection {
    get throws {
      func list(_ text: String, _ option: String) throws -> IndexList {
        guard let list = IndexList(text) else {
          throw ValidationError("'--\(option) \(text)' is not a list of numbers such as 0-5,7 nor 'all'.")
        }
        return list
      }
      do {
        return try SiteSelection(
          layers: list(layers, "layers"), experts: list(experts, "experts"), roles: SearchSettings.roles(roles))
      } catch let error as SearchError {
        throw ValidationError("\(error)")
      }
    }
  }
}
