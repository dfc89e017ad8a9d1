import CheckpointFixtures
import Foundation
import Testing

@testable import Checkpoints

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

  @Test func absolutePaths() {
    #expect(absolutePath("/a/./b//c/") == "/a/b/c")
    #expect(absolutePath("/a/../b") == "/a/../b")
    #expect(absolutePath("a") == FileManager.default.currentDirectoryPath + "/a")
    #expect(absolutePath("/a\0b") == "/a")
  }

  /// Links are followed where there is something to follow; ".." takes back what is not there yet.
  @Test func resolvedPaths() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(at: folder["a/b"], withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(at: folder["link"], withDestinationURL: folder["a/b"])
    let root = resolvedPath(folder.url.path)
    #expect(resolvedPath(folder.path("link/new")) == root + "/a/b/new")
    #expect(resolvedPath(folder.path("link/../c")) == root + "/a/c")
    #expect(resolvedPath(folder.path("new/../link")) == root + "/a/b")
  }

  @Test func nearestFolders() throws {
    let folder = try TemporaryFolder()
    #expect(nearestFolder(above: folder.path("a/b/c")) == folder.url.path)
    #expect(nearestFolder(above: folder.path("a")) == folder.url.path)
    #expect(nearestFolder(above: "a") == ".")
    #expect(nearestFolder(above: "/a/b") == "/")
  }
}
