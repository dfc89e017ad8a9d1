import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

@Suite struct PathTests {
  @Test func relativePaths() {
    #expect(relativePath(to: "/a/b/c", from: "/a/d") == "../b/c")
    #expect(relativePath(to: "/a/./b/../c", from: "/a") == "c")
    #expect(relativePath(to: "/a", from: "/a") == ".")
  }

  @Test(arguments: [
    ("a", "a", "."), ("/a", "a", "/"), ("a/b", "b", "a"), ("a/b/", "b", "a"), ("/", "/", "/"), ("", "", "."),
    ("../a", "a", ".."), ("a//b", "b", "a"),
  ]) func parts(path: String, name: String, folder: String) {
    #expect(fileName(path) == name)
    #expect(parentFolder(of: path) == folder)
  }

  /// As for the system, a path ends at a zero byte.
  @Test func zeroBytesEndPaths() {
    #expect(relativePath(to: "/a\0/b", from: "/") == "a")
    #expect(fileName("/a/b\0c") == "b")
  }

  @Test func nearestFolders() throws {
    let folder = try TemporaryFolder()
    #expect(nearestFolder(above: folder.path("a/b/c")) == folder.url.path)
    #expect(nearestFolder(above: folder.path("a")) == folder.url.path)
    #expect(nearestFolder(above: "a") == ".")
    #expect(nearestFolder(above: "/a/b") == "/")
  }
}
