import Checkpoints
import Evaluation
import Inference
import Models
import RankReduction
import Tensors
import Testing
import Tokenization

/// Our numbers against those of Hugging Face transformers in float32 on the same stored weights.
@Suite struct ReferenceTests {
  @Test(arguments: Reference.all) func tokenIdsAreTheSame(reference: Reference) throws {
    for (text, values) in try reference.texts {
      let tokens = try reference.corpus(text).tokens
      #expect(tokens.count == values["tokens"]?.integer)
      let bytes = tokens.flatMap { id in (0..<4).map { UInt8(truncatingIfNeeded: id >> (8 * $0)) } }
      #expect(SHA256.hexadecimal(bytes) == values["token_ids_sha256"]?.string, "\(text)")
    }
  }

  @Test(arguments: Reference.all) func statesAndLogitsAgree(reference: Reference) throws {
    let tensors = try reference.tensors
    let forward = try ForwardPass(reference.model, reference.recordedBatch)
    let states = try forward.embeddings()
    #expect(try largestDifference(states.elements, tensors.floats("hidden_states.first_layer_input")) == 0)
    for layer in 0..<forward.model.configuration.layerCount {
      try forward.run(layer: layer, states)
      if layer == 2 {
        #expect(try largestDifference(states.elements, tensors.floats("hidden_states.layer_2_output")) < 1e-3)
      }
    }
    #expect(try largestDifference(forward.logits(states).elements, tensors.floats("logits")) < 2e-3)
    let likelihoods = try forward.likelihoods(states).map(\.nll).map(Float.init)
    #expect(try largestDifference(likelihoods, tensors.floats("nll")) < 2e-3)
  }

  @Test(arguments: [Reference.franken, .trained]) func routerChoosesTheSameExperts(reference: Reference) throws {
    let tensors = try reference.tensors
    let forward = try ForwardPass(reference.model, reference.recordedBatch)
    let states = try forward.embeddings()
    for layer in 0..<forward.model.configuration.layerCount {
      let routing = try forward.run(layer: layer, states)
      // transformers lists a token's experts by weight, we by number.
      let experts = try tensors.integers("router.\(layer).experts")
      let weights = try tensors.floats("router.\(layer).weights")
      #expect(routing.experts.count == experts.count)
      for token in stride(from: 0, to: experts.count, by: 2) {
        let order = experts[token] < experts[token + 1] ? [token, token + 1] : [token + 1, token]
        #expect(order.map { experts[$0] } == Array(routing.experts[token..<token + 2]))
        #expect(zip(order, routing.weights[token..<token + 2]).allSatisfy { abs(weights[$0] - $1) < 1e-4 })
      }
    }
  }

  @Test(arguments: Reference.all) func perplexitiesAgreeUnderEveryConvention(reference: Reference) throws {
    let model = try reference.model
    let tokenizer = try reference.tokenizer
    for (text, values) in try reference.texts {
      for convention in [Convention.windows, .strided(stride: 128), .llamaCpp] {
        let recorded = try #require(values[convention.name])
        let evaluation = try Evaluation(
          [reference.corpus(text)], convention: convention, context: 256, tokenizer: tokenizer)
        let score = try evaluation.score(model)
        #expect(score.tokens == recorded["scored_tokens"]?.integer)
        #expect(score.windows.count == recorded["windows"]?.integer)
        let perplexity = try #require(recorded["perplexity"]?.number)
        #expect(abs(score.perplexity / perplexity - 1) < 1e-4, "\(text), \(convention.name)")
      }
    }
  }

  @Test(arguments: Reference.all) func singularValuesAgree(reference: Reference) throws {
    let model = try reference.model
    let reducer = try Reducer(model, base: nil)
    let recorded = try #require(reference.json["singular_values"])
    for site in model.sites {
      let expected = try #require(recorded[model.reference(of: site).name]?.array).compactMap(\.number)
      let values = try reducer.decompose(site).spectrum.singularValues
      #expect(values.count == expected.count)
      #expect(zip(values, expected).allSatisfy { abs($0 - $1) < 1e-5 * expected[0] }, "\(site)")
    }
  }

  @Test(arguments: Reference.all) func perplexitiesAfterSingleReductionsAgree(reference: Reference) throws {
    let model = try reference.model
    let reducer = try Reducer(model, base: nil)
    let reductions = try #require(reference.json["reductions"])
    let evaluation = try Evaluation(
      [reference.corpus(#require(reductions["text"]?.string))], convention: .windows, context: 256,
      tokenizer: reference.tokenizer)
    for row in try #require(reductions["rows"]?.array) {
      let site = try #require(model.sites.first { model.reference(of: $0).name == row["tensor"]?.string })
      let rank = try #require(row["rank"]?.integer)
      let reduced = try reducer.applying([Reduction(site: site, kind: .weights, rank: rank)])
      let perplexity = try #require(row["perplexity"]?.number)
      #expect(abs(try evaluation.score(reduced).perplexity / perplexity - 1) < 1e-4, "\(site) rank \(rank)")
    }
  }

  @Test(arguments: Reference.all) func aTruncatedMatrixHasTheRecordedBytes(reference: Reference) throws {
    let model = try reference.model
    let name = reference.name == "dense" ? "layers.5.mlp.up_proj" : "layers.5.block_sparse_moe.experts.0.w1"
    let site = try #require(model.sites.first { model.reference(of: $0).name == "model.\(name).weight" })
    let ours = try Reducer(model, base: nil).decompose(site).reduced(to: 16).decoded().elements
    let theirs = try reference.tensors.floats("truncated.model.\(name).weight.rank16")
    // Both round float64 results that differ in their last digits; a number that falls between two bfloat16 may go
    // either way.
    let differing = zip(ours, theirs).count { $0 != $1 }
    #expect(differing <= ours.count / 10_000)
    #expect(zip(ours, theirs).allSatisfy { abs($0 - $1) <= abs($1) / 128 })
  }
}
