internal import Checkpoints

extension TensorLayout {
  /// The same layout with every tensor where GGUF files have it.
  ///
  /// - Parameter contains: Whether the file has a tensor of a name.
  func inGGUF(_ gguf: GGUFArchitecture, contains: (String) -> Bool) -> TensorLayout {
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
          attentionNorm: layer.attentionNorm.map { weight(.attentionNorm, $0) },
          attention: layer.attention.heads.map { heads in
            .heads(
              HeadAttention(
                query: weight(.query, heads.query), key: weight(.key, heads.key), value: weight(.value, heads.value),
                output: weight(.output, heads.output),
                projectionBiases: zip(GGUFTensor.projections, heads.projectionBiases).map { tensor, bias in
                  renamed(bias, tensor.bias(layer: number))
                },
                outputBias: heads.outputBias.map { renamed($0, GGUFTensor.output.bias(layer: number)) },
                sinks: heads.sinks.map { weight(.sinks, $0) },
                queryNorm: heads.queryNorm.map { weight(.queryNorm, $0) },
                keyNorm: heads.keyNorm.map { weight(.keyNorm, $0) }))
          } ?? layer.attention,
          attentionOutputNorm: layer.attentionOutputNorm.map { weight(.attentionOutputNorm, $0) },
          isRotated: layer.isRotated, slidingWindow: layer.slidingWindow,
          feedForwardNorm: layer.feedForwardNorm.map { weight(gguf.feedForwardNorm, $0) },
          feedForwardOutputNorm: layer.feedForwardOutputNorm.map { weight(.feedForwardOutputNorm, $0) },
          router: layer.router.map { weight(.router, $0) },
          routerBias: layer.routerBias.map { renamed($0, GGUFTensor.router.bias(layer: number)) },
          selectionBias: layer.selectionBias.map { renamed($0, GGUFTensor.selectionBias.bias(layer: number)) },
          experts: layer.experts.enumerated().map { index, matrices in
            var placed = expert(matrices) { tensor, reference in
              guard layer.router != nil else { return weight(tensor, reference) }
              let single = tensor.single(layer: number, expert: index)
              if contains(single) { return renamed(reference, single) }
              let merged = GGUFTensor.stackedGateAndUp(layer: number)
              if tensor != .down, contains(merged) {
                let first = tensor == .up ? reference.rows : 0
                return TensorReference(
                  name: merged, shape: (layer.experts.count, 2 * reference.rows, reference.columns), index: index,
                  rows: first..<first + reference.rows)
              }
              return TensorReference(
                name: tensor.stacked(layer: number), shape: (layer.experts.count, reference.rows, reference.columns),
                index: index)
            }
            placed.biases = zip(GGUFTensor.expert, matrices.biases).map { tensor, bias in
              TensorReference(
                name: tensor.stackedBias(layer: number), shape: (layer.experts.count, bias.columns),
                rows: index..<index + 1)
            }
            return placed
          },
          shared: layer.shared.map { shared in
            SharedExpert(
              expert: expert(shared.expert) { renamed($1, $0.shared(layer: number)) },
              gate: shared.gate.map { weight(.sharedGate, $0) })
          })
      })
  }
}
