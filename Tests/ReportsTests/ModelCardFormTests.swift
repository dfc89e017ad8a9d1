import Foundation
import RankReduction
import Reports
import Testing

/// Cards of other things than a common checkpoint.
struct ModelCardFormTests {
  private func readme(_ form: ModelCard.Form) throws -> String {
    ModelCard(
      model: "o/model", fingerprint: "aaaa", plan: Plan(model: "aaaa", base: nil, reductions: []), report: nil,
      base: "o/base", form: form
    ).readme(existing: nil)
  }

  @Test func eachSaysWhatItIs() throws {
    let checkpoint = try readme(.checkpoint)
    #expect(checkpoint.contains("base_model:\n- o/model\n") && checkpoint.contains("base_model_relation: finetune"))
    #expect(checkpoint.contains("library_name: transformers") && !checkpoint.contains("P.left.weight"))
    let factored = try readme(.factored)
    #expect(factored.contains("`P.left.weight`") && factored.contains("plan.yaml --out FOLDER --factored"))
    // transformers does not read it.
    #expect(!factored.contains("library_name"))
    for (form, base) in [(ModelCard.Form.adapter, "o/model"), (.baseAdapter, "o/base")] {
      let adapter = try readme(form)
      #expect(adapter.contains("library_name: peft") && adapter.contains("base_model_relation: adapter"))
      #expect(adapter.contains("base_model:\n- \(base)\n") && adapter.contains("an adapter for \(base), not a model"))
      #expect(adapter.contains("--lora --for-base") == (form == .baseAdapter))
    }
  }

  /// What people copy is one text, in the card and in the documentation.
  @Test func theProgramIsTheDocumentations() throws {
    let file = URL(filePath: #filePath).appending(path: "../../../docs/formats.md").standardized
    let text = try String(contentsOf: file, encoding: .utf8)
    #expect(text.contains("```python\n\(ModelCard.expansion)\n```"))
  }
}
