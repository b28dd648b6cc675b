using System.Runtime.CompilerServices;

namespace Platform.UnitTests.Engines;

/// <summary>Where the repository's demo model lies.</summary>
internal static class DemoModel
{
    /// <summary>The repository's root, found from where this file was compiled.</summary>
    public static string Repository { get; } = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", "..", ".."));

    public static string File(string name) => Path.Combine(Repository, "infra", "demo-model", "model", name);

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
