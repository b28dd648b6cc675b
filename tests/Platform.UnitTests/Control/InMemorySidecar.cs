using System.Net;
using System.Text;
using System.Text.Json;

namespace Platform.UnitTests.Control;

/// <summary>The actor part of a sidecar in memory: state and reminders, with a crash at any chosen write.</summary>
internal sealed class InMemorySidecar : HttpMessageHandler
{
    private readonly Dictionary<string, string> _state = [];

    /// <summary>Reminders by <c>type/id/name</c>, with their due time and period as sent.</summary>
    public Dictionary<string, (string DueTime, string? Period)> Reminders { get; } = [];

    /// <summary>State writes and reminder changes so far.</summary>
    public int Writes { get; private set; }

    /// <summary>Number of the write that fails; 0 for none.</summary>
    public int FailAt { get; set; }

    /// <summary>True: the failing write is applied, and only its answer is lost.</summary>
    public bool ApplyFailing { get; set; }

    public int StateValues => _state.Count;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        // /v1.0/actors/{type}/{id}/{state|reminders}[/{key}]
        var parts = request.RequestUri!.AbsolutePath.Split('/', StringSplitOptions.RemoveEmptyEntries).Select(Uri.UnescapeDataString).ToArray();
        var actor = $"{parts[2]}/{parts[3]}";
        if (request.Method == HttpMethod.Get)
        {
            return _state.TryGetValue($"{actor}/{parts[5]}", out var value)
                ? new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(value, Encoding.UTF8, "application/json") }
                : new HttpResponseMessage(HttpStatusCode.NoContent);
        }

        if (parts[4] == "method")
        {
            // Another actor's turn; who needs its effect fakes the caller's side.
            return new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent("null") };
        }

        var body = request.Content is null ? "" : await request.Content.ReadAsStringAsync(cancellationToken);
        Writes++;
        var fails = Writes == FailAt;
        if (!fails || ApplyFailing)
        {
            Apply(request.Method, actor, parts, body);
        }

        return fails ? throw new HttpRequestException("crashed") : new HttpResponseMessage(HttpStatusCode.NoContent);
    }

    private void Apply(HttpMethod method, string actor, string[] parts, string body)
    {
        if (parts[4] == "reminders")
        {
            var name = $"{actor}/{parts[5]}";
            if (method == HttpMethod.Delete)
            {
                Reminders.Remove(name);
            }
            else
            {
                using var reminder = JsonDocument.Parse(body);
                Reminders[name] = (reminder.RootElement.GetProperty("dueTime").GetString()!, reminder.RootElement.TryGetProperty("period", out var period) ? period.GetString() : null);
            }

            return;
        }

        using var operations = JsonDocument.Parse(body);
        foreach (var operation in operations.RootElement.EnumerateArray())
        {
            var request = operation.GetProperty("request");
            var key = $"{actor}/{request.GetProperty("key").GetString()}";
            if (operation.GetProperty("operation").GetString() == "upsert")
            {
                _state[key] = request.GetProperty("value").GetRawText();
            }
            else
            {
                _state.Remove(key);
            }
        }
    }
}
