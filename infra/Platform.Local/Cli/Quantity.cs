namespace Platform.Local.Cli;

/// <summary>Figures as people read them. KiB, MiB, GiB are powers of two.</summary>
internal static class Quantity
{
    public static string Bytes(long bytes) => bytes switch
    {
        < 1024 => $"{bytes} B",
        < 1024 * 1024 => $"{bytes / 1024.0:0.#} KiB",
        < 1024L * 1024 * 1024 => $"{bytes / 1048576.0:0.#} MiB",
        _ => $"{bytes / 1073741824.0:0.##} GiB",
    };

    public static string Milliseconds(TimeSpan time) => $"{time.TotalMilliseconds:0.0} ms";

    public static string Ago(DateTimeOffset then, TimeProvider time)
    {
        var age = time.GetUtcNow() - then;
        return age.TotalSeconds < 60 ? $"{age.TotalSeconds:0} s ago" : age.TotalMinutes < 60 ? $"{age.TotalMinutes:0} min ago" : age.TotalHours < 48 ? $"{age.TotalHours:0} h ago" : $"{age.TotalDays:0} days ago";
    }
}
