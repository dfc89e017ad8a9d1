package import Checkpoints
package import Tensors

/// A checkpoint understood: its configuration, its sites, and its weights, some of which may be replaced; and how it is
/// run.
///
/// Opening one checks that every tensor is there in the shape that the configuration says. Weights stay in the mapped
/// files until they are asked for.
package struct Model: Sendable {
  package let checkpoint: Checkpoint
  let architecture: any Architecture.Type
  package private(set) var configuration: TransformerConfiguration
  package let layout: TensorLayout
  /// Whether it is the text model of one that reads images too.
  package let isPartOfAnother: Bool
  package private(set) var replacements: [TensorReference: StoredMatrix] = [:]
  package var execution = Execution()
  /// What people should know of how the files were read: where they contradict each other.
  package private(set) var notes: [String] = []

  /// Metadata and names of a GGUF file are first put as a Hugging Face checkpoint would have them, for the architecture
  /// to read.
  package init(_ checkpoint: Checkpoint) throws(CheckpointError) {
    if let parts = checkpoint.gguf {
      let metadata = try GGUFMetadata(checkpoint, parts)
      self.checkpoint = Checkpoint(checkpoint, configuration: try metadata.configuration())
      architecture = metadata.architecture
      (configuration, layout) = try metadata.understood(self.checkpoint.configuration)
      isPartOfAnother = false
    } else {
      let text = try TextModel.configuration(checkpoint.configuration)
      let file = text ?? checkpoint.configuration
      isPartOfAnother = text != nil
      self.checkpoint = text.map { Checkpoint(checkpoint, configuration: $0) } ?? checkpoint
      architecture = try ArchitectureRegistry.architecture(for: file)
      configuration = try architecture.configuration(file)
      if try Self.hasUntiedHead(checkpoint, configuration) {
        configuration.tiesEmbeddings = false
        notes.append(
          "\(checkpoint.path): \(TextModelNames(contains: checkpoint.contains).head) differs from the embedding and is used, although "
            + "\"tie_word_embeddings\" is true")
      }
      layout = try architecture.layout(configuration, file, contains: checkpoint.contains)
    }
    if let bits = checkpoint.scaledNumbers {
      notes.append("\(checkpoint.path): its matrices are stored in \(bits); they are used, and written, in BF16")
    }
    for reference in layout.all { _ = try checkpoint.matrix(reference) }
  }

  package init(path: String) throws(CheckpointError) {
    try self.init(Checkpoint(path: path))
  }

  // MARK: Experts per token

  /// The model with another number of experts working on each token than its configuration says.
  ///
  /// - Throws: `CheckpointError` for a number that the model cannot have, and for a dense model.
  package func withExpertsPerToken(_ count: Int) throws(CheckpointError) -> Model {
    guard let mixture = configuration.mixture else {
      throw CheckpointError(
        .unsupported, file: checkpoint.path, "a dense model has no experts, of which \(count) could work on a token")
    }
    guard (1...mixture.expertCount).contains(count) else {
      throw CheckpointError(
        .unsupported, file: checkpoint.path,
        "\(count) experts per token are not possible; the model has \(mixture.expertCount) experts")
    }
    var result = self
    result.configuration.mixture?.expertsPerToken = count
    return result
  }

  // MARK: Sites

  /// Every matrix that can be reduced: by layer, within it attention first, then expert by expert, the shared one last.
  package var sites: [Site] { layout.sites }

  /// The tensor of a site; nil if the model does not have the site.
  package func referenceIfPresent(of site: Site) -> TensorReference? { layout.reference(of: site) }

  /// The tensor of a site that the model has.
  package func reference(of site: Site) -> TensorReference {
    guard let reference = referenceIfPresent(of: site) else { preconditionFailure("the model has no \(site)") }
    return reference
  }

  /// The model with one matrix replaced by another of the same shape and type.
  package func replacing(_ site: Site, by matrix: StoredMatrix) -> Model {
    let reference = reference(of: site)
    precondition(matrix.rows == reference.rows && matrix.columns == reference.columns, "shapes differ")
    var result = self
    result.replacements[reference] = matrix
    return result
  }

  /// The module of a layer that consists of the experts in transformers: "mlp.experts".
  package var expertsModule: String { architecture.expertsModule }

  /// All tensors that the model consists of; tied ones twice.
  package var tensors: [TensorReference] { layout.all }

  // MARK: Weights

  /// A tensor as it is stored, or as it was replaced.
  package func stored(_ reference: TensorReference) throws(CheckpointError) -> StoredMatrix {
    if let replacement = replacements[reference] { return replacement }
    return try checkpoint.matrix(reference)
  }

  /// A tensor's numbers in float32.
  ///
  /// - Throws: `CheckpointError` if one of them is not finite.
  package func weights(_ reference: TensorReference) throws(CheckpointError) -> Matrix {
    let result = Matrix(rows: reference.rows, columns: reference.columns)
    try decode(reference, rows: 0..<reference.rows, into: result)
    return result
  }

  /// Some rows of a tensor in float32; `target` has as many.
  package func decode(
    _ reference: TensorReference, rows: Range<Int>, into target: Matrix
  ) throws(CheckpointError) {
    let stored = try stored(reference)
    defer { if execution.streamsWeights { stored.release(rows: rows) } }
    do throws(StoredMatrix.NotFinite) { try stored.decode(rows: rows, into: target) } catch {
      throw notFinite(reference)
    }
  }

  /// Some rows and columns, in float64, of a tensor that the caller holds.
  package func doubles(
    of stored: StoredMatrix, at reference: TensorReference, rows: Range<Int>, columns: Range<Int>
  ) throws(CheckpointError) -> DoubleMatrix {
    do throws(StoredMatrix.NotFinite) { return try stored.doubles(rows: rows, columns: columns) } catch {
      throw notFinite(reference)
    }
  }

  package func notFinite(_ reference: TensorReference) -> CheckpointError {
    checkpoint.error(.notFinite, tensor: reference.tensor, "it holds a NaN or an infinity; the checkpoint is damaged")
  }
}
