internal import Models
internal import Synchronization
internal import Tensors

/// Decompositions on disk, in a file without a name. A matrix of 14336 × 4096 is decomposed in seconds or half a minute and
/// read back in a tenth of a second; a search that measures a dozen models needs each a dozen times.
///
/// It is a convenience: what does not fit, or cannot be written or read, is made anew, with the same bits.
final class DecompositionStore: Sendable {
  private struct Contents {
    var scratch: MatrixScratch?
    var kept: [Site: (decomposition: MatrixScratch.KeptDecomposition, spectrum: Spectrum)] = [:]
    var freeBytes: Int
  }

  private let folder: String
  private let contents: Mutex<Contents>

  /// - Parameter share: It takes one part in so many of what is free in the folder.
  init(in folder: String, share: Int) {
    self.folder = folder
    contents = Mutex(Contents(freeBytes: (freeDisk(at: folder) ?? 0) / share))
  }

  func decomposition(of site: Site) -> (SingularValueDecomposition, Spectrum)? {
    contents.withLock { contents in
      guard let kept = contents.kept[site], let scratch = contents.scratch,
        let decomposition = try? scratch.read(kept.decomposition)
      else { return nil }
      return (decomposition, kept.spectrum)
    }
  }

  func keep(_ made: SiteDecomposition) {
    contents.withLock { contents in
      let bytes = made.fullRank * made.fullRank * MemoryLayout<Double>.stride
      guard contents.kept[made.site] == nil, bytes <= contents.freeBytes else { return }
      do {
        let scratch = try contents.scratch ?? MatrixScratch(in: folder)
        contents.scratch = scratch
        contents.kept[made.site] = (try scratch.write(made.decomposition), made.spectrum)
        contents.freeBytes -= bytes
      } catch { contents.freeBytes = 0 }
    }
  }
}
