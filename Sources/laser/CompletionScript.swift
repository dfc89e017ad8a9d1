internal import ArgumentParser
internal import Checkpoints

/// The parser's script that completes in a shell, and what it does not know: options with several values, each of which
/// completes as the first does, and `--option=value`.
struct CompletionScript {
  let text: String

  /// - Parameter arguments: Those of the program; nil where they ask for no script.
  init?(arguments: [String]) {
    guard arguments.count == 2, arguments[0] == "--generate-completion-script",
      let shell = CompletionShell(rawValue: arguments[1]),
      let help = try? JSON(parsing: Array(Laser._dumpHelp().utf8))
    else { return nil }
    let several = Self.optionsWithSeveralValues(help).joined(separator: "|")
    let script = Laser.completionScript(for: shell)
    switch shell {
    case .bash: text = Self.bash(script, several: several)
    case .zsh: text = Self.zsh(script, several: several)
    case .fish: text = Self.fish(script, several: several)
    default: text = script
    }
  }

  private static func optionsWithSeveralValues(_ help: JSON) -> [String] {
    let commands = help["command"]?["subcommands"]?.array ?? []
    let options = commands.flatMap { $0["arguments"]?.array ?? [] }
      .filter { $0["kind"]?.string == "option" && $0["parsingStrategy"]?.string == "upToNextOption" }
    let names = options.compactMap { $0["preferredName"]?["name"]?.string }
    return Set(names).sorted().map { "--" + $0 }
  }

  /// Shows the parser's function each option with one value, the last one, and no sign of equality between them.
  private static func bash(_ script: String, several: String) -> String {
    script.replacing(
      "complete -o filenames -F _laser laser",
      with: #"""
        _laser_words() {
            local -a kept=()
            local word is_among_several=false
            for word in "${COMP_WORDS[@]:0:COMP_CWORD}" "${2}"; do
                case "${word}" in
                =) continue ;;
                \#(several)) is_among_several=true ;;
                -*) is_among_several=false ;;
                *) "${is_among_several}" && [[ "${kept[${#kept[@]} - 1]}" != -* ]] && unset "kept[${#kept[@]} - 1]" ;;
                esac
                kept+=("${word}")
            done
            COMP_WORDS=("${kept[@]}")
            COMP_CWORD=$((${#kept[@]} - 1))
            _laser "${1}" "${2}" "${kept[COMP_CWORD - 1]}"
        }

        complete -o filenames -F _laser_words laser
        """#)
  }

  /// The same; zsh knows `--option=value`, where it is told of it.
  private static func zsh(_ script: String, several: String) -> String {
    let first = "    emulate -RL zsh -G\n"
    let words = #"""
          local -a kept=()
          local -i place
          local is_among_several=false
          for ((place = 1; place <= CURRENT; place++)); do
              case "${words[place]}" in
              \#(several)) is_among_several=true ;;
              -*) is_among_several=false ;;
              *) "${is_among_several}" && [[ "${kept[-1]}" != -* ]] && kept[-1]=() ;;
              esac
              kept+=("${words[place]}")
          done
          words=("${kept[@]}" "${(@)words[CURRENT + 1,-1]}")
          CURRENT="${#kept[@]}"

      """#
    let lines = script.replacing(first, with: first + words, maxReplacements: 1).split(
      separator: "\n", omittingEmptySubsequences: false)
    return lines.map { line in
      // '--option[What it is.]:value:what completes it'
      guard let name = line.prefixMatch(of: #/ *'--[a-z-]+/#), line.contains("]:") else { return String(line) }
      return line[name.range] + "=" + line[name.range.upperBound...]
    }.joined(separator: "\n")
  }

  private static func fish(_ script: String, several: String) -> String {
    script + #"""

      function __laser_takes_another_file
          for word in (__laser_tokens -pc)[-1..1]
              if string match -q -- '-*' $word
                  string match -qr -- '^(\#(several))$' $word
                  return
              end
          end
          return 1
      end
      complete -c 'laser' -n __laser_takes_another_file -F

      """#
  }
}
