using System.Text;

namespace Platform.Local.FunctionsHost.App;

/// <summary>The files that describe an app: <c>host.json</c>, <c>local.settings.json</c> and each <c>function.json</c>.</summary>
internal static class AppFiles
{
    private static readonly string[] RootFiles = ["host.json", "local.settings.json"];

    /// <summary>A text that changes whenever one of the files is written, added or removed; null while the folder cannot be read.</summary>
    public static string? Fingerprint(string appRoot)
    {
        try
        {
            var text = new StringBuilder();
            foreach (var file in RootFiles.Select(name => Path.Combine(appRoot, name)).Concat(Directory.GetDirectories(appRoot).Order(StringComparer.Ordinal).Select(folder => Path.Combine(folder, "function.json"))))
            {
                var info = new FileInfo(file);
                if (info.Exists)
                {
                    text.Append(file).Append('|').Append(info.Length).Append('|').Append(info.LastWriteTimeUtc.Ticks).Append('\n');
                }
            }

            return text.ToString();
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Waits until the files differ from <paramref name="known"/> and have stayed as they are for one interval, so that a build is over; gives their new fingerprint.</summary>
    /// <remarks>Looked at rather than watched: that works on every file system and costs a few dozen file lookups.</remarks>
    public static async Task<string> WaitForChangeAsync(string appRoot, string? known, TimeSpan interval, TimeProvider time, CancellationToken cancellationToken)
    {
        var last = known;
        while (true)
        {
            await Task.Delay(interval, time, cancellationToken);
            var now = Fingerprint(appRoot);
            if (now is not null && now != known && now == last)
            {
                return now;
            }

            last = now;
        }
    }
}
