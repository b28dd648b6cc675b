namespace Platform.Worker.Jobs.Exec;

/// <summary>The folders of one attempt. Nothing in them outlives it, but for what was uploaded.</summary>
internal sealed class ExecFolders : IDisposable
{
    public ExecFolders(string root)
    {
        Root = root;
        Delete(root);
        foreach (var folder in (string[])[Artifacts, Scratch, Output, Checkpoint])
        {
            Directory.CreateDirectory(folder);
        }
    }

    public string Root { get; }

    /// <summary>Links to sealed files of the NVMe tier; read-only.</summary>
    public string Artifacts => Path.Combine(Root, "artifacts");

    /// <summary>Working directory; thrown away.</summary>
    public string Scratch => Path.Combine(Root, "scratch");

    /// <summary>What becomes the result.</summary>
    public string Output => Path.Combine(Root, "output");

    /// <summary>What the next attempt finds.</summary>
    public string Checkpoint => Path.Combine(Root, "checkpoint");

    /// <summary>Puts the folders into a text for <c>{artifacts}</c>, <c>{scratch}</c>, <c>{output}</c> and <c>{checkpoint}</c>.</summary>
    public string Expand(string text) => text
        .Replace("{artifacts}", Artifacts, StringComparison.Ordinal)
        .Replace("{scratch}", Scratch, StringComparison.Ordinal)
        .Replace("{output}", Output, StringComparison.Ordinal)
        .Replace("{checkpoint}", Checkpoint, StringComparison.Ordinal);

    /// <summary>Bytes of all files in a folder that lie there themselves; links count nothing.</summary>
    /// <remarks>The command goes on meanwhile: what it removes during the look counts nothing.</remarks>
    public static long LengthOf(string folder)
    {
        var length = 0L;
        try
        {
            foreach (var file in Files(folder))
            {
                length += file.Exists ? file.Length : 0;
            }
        }
        catch (Exception fault) when (fault is FileNotFoundException or DirectoryNotFoundException)
        {
            // Gone between two steps of the look; the next one is half a second away.
        }

        return length;
    }

    /// <summary>Every file in a folder, but for links.</summary>
    public static IEnumerable<FileInfo> Files(string folder) => new DirectoryInfo(folder)
        .EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.ReparsePoint });

    public void Dispose() => Delete(Root);

    /// <summary>Removes a folder of an attempt, also where the command took rights away.</summary>
    public static void Delete(string folder)
    {
        if (!Directory.Exists(folder))
        {
            return;
        }

        if (!OperatingSystem.IsWindows())
        {
            foreach (var inner in Directory.EnumerateDirectories(folder, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint }).Prepend(folder))
            {
                File.SetUnixFileMode(inner, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }
        }

        Directory.Delete(folder, true);
    }
}
