internal import Checkpoints

/// The tensors of a layer as GGUF files name them, and those beside the layers.
///
/// Experts are stacked in one tensor for each role (`blk.0.ffn_gate_exps.weight`: experts, rows, columns) or, in older
/// files, stored one by one (`blk.0.ffn_gate.3.weight`). Source: llama.cpp, gguf-py/gguf/tensor_mapping.py.
enum GGUFTensor: String {
  case attentionNorm = "attn_norm"
  case query = "attn_q"
  case key = "attn_k"
  case value = "attn_v"
  case output = "attn_output"
  case queryNorm = "attn_q_norm"
  case keyNorm = "attn_k_norm"
  case feedForwardNorm = "ffn_norm"
  case router = "ffn_gate_inp"
  case sharedGate = "ffn_gate_inp_shexp"
  case gate = "ffn_gate"
  case up = "ffn_up"
  case down = "ffn_down"

  static let embedding = "token_embd.weight"
  static let finalNorm = "output_norm.weight"
  static let head = "output.weight"
  /// What each pair's rotary frequency is divided by.
  static let rotaryFactors = "rope_freqs.weight"

  /// Which have a bias where `TensorLayout.Layer.projectionBiases` has: in its order.
  static let projections = [query, key, value]
  /// An expert's, in the order of `TensorLayout.Expert.all`.
  static let expert = [gate, up, down]

  func weight(layer: Int) -> String { "blk.\(layer).\(rawValue).weight" }

  func bias(layer: Int) -> String { "blk.\(layer).\(rawValue).bias" }

  /// One role's matrices of all experts.
  func stacked(layer: Int) -> String { "blk.\(layer).\(rawValue)_exps.weight" }

  /// A matrix of an expert that is stored alone.
  func single(layer: Int, expert: Int) -> String { "blk.\(layer).\(rawValue).\(expert).weight" }

  /// A matrix of the expert that every token goes to.
  func shared(layer: Int) -> String { "blk.\(layer).\(rawValue)_shexp.weight" }
}

extension TensorLayout {
  /// The same layout with every tensor where GGUF files have it.
  ///
  /// - Parameter contains: Whether the file has a tensor of a name.
  func inGGUF(contains: (String) -> Bool) -> TensorLayout {
    func renamed(_ reference: TensorReference, _ name: String) -> TensorReference {
      TensorReference(name: name, rows: reference.rows, columns: reference.columns)
    }
    func expert(_ expert: Expert, _ place: (GGUFTensor, TensorReference) -> TensorReference) -> Expert {
      Expert(gate: place(.gate, expert.gate), up: place(.up, expert.up), down: place(.down, expert.down))
    }
    let embedding = renamed(embedding, GGUFTensor.embedding)
    return TensorLayout(
      embedding: embedding, finalNorm: renamed(finalNorm, GGUFTensor.finalNorm),
      head: head == self.embedding ? embedding : renamed(head, GGUFTensor.head),
      layers: layers.enumerated().map { number, layer in
        func weight(_ tensor: GGUFTensor, _ reference: TensorReference) -> TensorReference {
          renamed(reference, tensor.weight(layer: number))
        }
        return Layer(
          attentionNorm: weight(.attentionNorm, layer.attentionNorm), query: weight(.query, layer.query),
          key: weight(.key, layer.key), value: weight(.value, layer.value), output: weight(.output, layer.output),
          projectionBiases: zip(GGUFTensor.projections, layer.projectionBiases).map { tensor, bias in
            renamed(bias, tensor.bias(layer: number))
          },
          outputBias: layer.outputBias.map { renamed($0, GGUFTensor.output.bias(layer: number)) },
          queryNorm: layer.queryNorm.map { weight(.queryNorm, $0) },
          keyNorm: layer.keyNorm.map { weight(.keyNorm, $0) },
          slidingWindow: layer.slidingWindow, feedForwardNorm: weight(.feedForwardNorm, layer.feedForwardNorm),
          router: layer.router.map { weight(.router, $0) },
          experts: layer.experts.enumerated().map { index, matrices in
            expert(matrices) { tensor, reference in
              guard layer.router != nil else { return weight(tensor, reference) }
              let single = tensor.single(layer: number, expert: index)
              if contains(single) { return renamed(reference, single) }
              return TensorReference(
                name: tensor.stacked(layer: number), shape: (layer.experts.count, reference.rows, reference.columns),
                index: index, rows: 0..<reference.rows)
            }
          },
          shared: layer.shared.map { shared in
            SharedExpert(
              expert: expert(shared.expert) { renamed($1, $0.shared(layer: number)) },
              gate: weight(.sharedGate, shared.gate))
          })
      })
  }
}
