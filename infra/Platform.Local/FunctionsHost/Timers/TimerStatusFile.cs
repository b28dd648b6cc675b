using System.Text.Json;
using System.Text.Json.Serialization;

namespace Platform.Local.FunctionsHost.Timers;

/// <summary>When a timer ran last and runs next.</summary>
/// <param name="Last">The last run; the default if there was none.</param>
/// <param name="Next">The next one, as it was reckoned then.</param>
/// <param name="LastUpdated">When this was written.</param>
/// <param name="Schedule">The schedule by which it was reckoned; null in files of older versions.</param>
internal sealed record TimerStatus(DateTimeOffset Last, DateTimeOffset Next, DateTimeOffset LastUpdated, string? Schedule = null);

/// <summary>The status of one timer, kept in a file over restarts; replaced as a whole, so a crash leaves the old or the new.</summary>
internal sealed class TimerStatusFile(string folder, string function)
{
    private readonly string _path = Path.Combine(folder, function + ".json");

    /// <summary>The kept status; null if there is none, or none that can be read.</summary>
    public TimerStatus? Read()
    {
        try
        {
            return File.Exists(_path) ? JsonSerializer.Deserialize(File.ReadAllBytes(_path), TimerJson.Default.TimerStatus) : null;
        }
        catch (Exception exception) when (exception is JsonException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Write(TimerStatus status)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(_path + ".new", JsonSerializer.SerializeToUtf8Bytes(status, TimerJson.Default.TimerStatus));
        File.Move(_path + ".new", _path, overwrite: true);
    }
}

[JsonSerializable(typeof(TimerStatus))]
internal sealed partial class TimerJson : JsonSerializerContext;
