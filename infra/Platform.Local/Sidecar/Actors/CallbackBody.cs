using System.Buffers;
using System.Text.Json;

namespace Platform.Local.Sidecar.Actors;

/// <summary>Bodies of the callbacks of timers and reminders.</summary>
internal static class CallbackBody
{
    /// <summary>A timer's, with the times as they were given.</summary>
    public static byte[] OfTimer(ScheduleRequest schedule, string dueTime, string period) => Write(schedule.Data, dueTime, period, schedule.Callback);

    /// <summary>A reminder's: times are empty, as with every Dapr since 1.15.</summary>
    public static byte[] OfReminder(string? data) => Write(data, "", "", null);

    private static byte[] Write(string? data, string dueTime, string period, string? callback)
    {
        var body = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(body))
        {
            writer.WriteStartObject();
            if (callback is not null)
            {
                writer.WriteString("callback"u8, callback);
            }

            if (data is not null)
            {
                writer.WritePropertyName("data"u8);
                writer.WriteRawValue(data, skipInputValidation: true);
            }

            writer.WriteString("dueTime"u8, dueTime);
            writer.WriteString("period"u8, period);
            writer.WriteEndObject();
        }

        return body.WrittenSpan.ToArray();
    }
}
