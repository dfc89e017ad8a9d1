internal import ArgumentParser
internal import Glibc
internal import Wording

/// A member of a batch, by its number, or by that of the task of a Slurm array that this process is.
enum MemberChoice: ExpressibleByArgument {
  case number(Int)
  case slurm

  static let word = "slurm"
  private static let variable = "SLURM_ARRAY_TASK_ID"

  init?(argument: String) {
    if argument == Self.word {
      self = .slurm
    } else if let number = Int(argument) {
      self = .number(number)
    } else {
      return nil
    }
  }

  /// - Throws: `InputError` where there is no such member, or no task of an array.
  func member(of batch: Batch) throws -> Batch.Member {
    let members = batch.members
    let range = "its members are 1 to \(members.count)"
    let (number, origin) = try value(range)
    guard let member = members.first(where: { $0.number == number }) else {
      throw InputError("the batch has no member \(number)\(origin): \(range); --list shows them")
    }
    return member
  }

  private func value(_ range: String) throws -> (Int, origin: String) {
    switch self {
    case .number(let number): return (number, "")
    case .slurm:
      guard let text = getenv(Self.variable).map({ String(cString: $0) }) else {
        throw InputError(
          "--member \(Self.word): \(Self.variable) is not set, as it is in a task of 'sbatch --array=…'; or give a number"
        )
      }
      guard let number = Int(text) else {
        throw InputError("--member \(Self.word): \(Self.variable) is \"\(text)\", not a number; \(range)")
      }
      return (number, " (\(Self.variable))")
    }
  }
}
