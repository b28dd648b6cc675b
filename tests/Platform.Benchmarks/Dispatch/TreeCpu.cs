using System.Diagnostics;
using System.Globalization;

namespace Platform.Benchmarks.Dispatch;

/// <summary>CPU time of a process and of those it started, by the program's name.</summary>
internal static class TreeCpu
{
    /// <summary>The time of the process itself and of its children; several of one name are added up. Linux only: reads /proc.</summary>
    public static Dictionary<string, TimeSpan> Of(int root)
    {
        var times = new Dictionary<string, TimeSpan>(StringComparer.Ordinal);
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var id))
            {
                continue;
            }

            try
            {
                var fields = File.ReadAllText($"{folder}/stat") is var text ? text[(text.LastIndexOf(')') + 2)..].Split(' ') : [];
                if (id == root || int.Parse(fields[1], CultureInfo.InvariantCulture) == root)
                {
                    using var process = Process.GetProcessById(id);
                    var name = NameOf(File.ReadAllText($"{folder}/cmdline"));
                    times[name] = times.GetValueOrDefault(name) + process.TotalProcessorTime;
                }
            }
            catch (Exception exception) when (exception is IOException or ArgumentException or InvalidOperationException)
            {
                // It has ended meanwhile.
            }
        }

        return times;
    }

    /// <summary>The first argument that names a program: <c>dotnet Platform.Worker.dll</c> is Platform.Worker.</summary>
    private static string NameOf(string commandLine) =>
        Path.GetFileNameWithoutExtension(commandLine.Split('\0') is [_, var second, ..] parts && second.EndsWith(".dll", StringComparison.Ordinal) ? second : commandLine.Split('\0')[0]);
}
