using System.Runtime.CompilerServices;

namespace Platform.UnitTests;

/// <summary>The checkout that these tests were built from.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    private static string FindRoot([CallerFilePath] string path = "")
    {
        for (var folder = Path.GetDirectoryName(path); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "Platform.sln")))
            {
                return folder;
            }
        }

        throw new InvalidOperationException($"No Platform.sln above {path}.");
    }
}
