using System.Diagnostics;
using System.Globalization;

namespace Platform.Worker.Engines.External;

/// <summary>Notes which servers run, so that those which outlived a killed worker are ended when the next one starts: they still hold device memory.</summary>
/// <remarks>A note is <c>{folder}.pid</c> beside the engine's folder: process id and start time, since ids are used again.</remarks>
internal static class LeftOverServers
{
    private const string Extension = ".pid";
    private const int StartTimeField = 22;

    /// <summary>Notes a server that has just been started on a folder.</summary>
    public static void Note(string folder, int processId)
    {
        if (StartTimeOf(processId) is { } started)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
            File.WriteAllText(folder + Extension, string.Create(CultureInfo.InvariantCulture, $"{processId} {started}"));
        }
    }

    /// <summary>Takes the note back.</summary>
    public static void Forget(string folder) => File.Delete(folder + Extension);

    /// <summary>Ends the servers that are noted and still run, and removes what they ran on.</summary>
    /// <returns>How many were ended.</returns>
    public static int End(string enginesFolder)
    {
        if (!Directory.Exists(enginesFolder))
        {
            return 0;
        }

        var ended = 0;
        foreach (var note in Directory.GetFiles(enginesFolder, "*" + Extension))
        {
            var parts = File.ReadAllText(note).Split(' ');
            if (parts.Length == 2 && int.TryParse(parts[0], CultureInfo.InvariantCulture, out var processId) && StartTimeOf(processId) == parts[1])
            {
                using var server = Process.GetProcessById(processId);
                server.Kill(entireProcessTree: true);
                ended++;
            }

            File.Delete(note);
        }

        foreach (var folder in Directory.GetDirectories(enginesFolder))
        {
            Directory.Delete(folder, recursive: true);
        }

        return ended;
    }

    /// <summary>When a process was started, in the kernel's ticks; null if it does not run or the system does not say.</summary>
    private static string? StartTimeOf(int processId)
    {
        try
        {
            // The name in parentheses may hold anything, so the fields are counted from behind it: the first one there is the third.
            var stat = File.ReadAllText($"/proc/{processId}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[StartTimeField - 3];
        }
        catch (IOException)
        {
            return null;
        }
    }
}
