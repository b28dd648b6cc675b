using System.Net;
using System.Text;
using System.Text.Json;

namespace Platform.UnitTests.Control;

/// <summary>The actor part of a sidecar in memory: state and reminders, with a crash at any chosen write; other apps answer as the test says.</summary>
internal sealed class InMemorySidecar : HttpMessageHandler
{
    private readonly Dictionary<string, string> _state = [];

    /// <summary>Reminders by <c>type/id/name</c>, with their due time and period as sent.</summary>
    public Dictionary<string, (string DueTime, string? Period)> Reminders { get; } = [];

    /// <summary>State values that were read, by <c>type/id/name</c>, oldest first.</summary>
    public List<string> Reads { get; } = [];

    /// <summary>State writes and reminder changes so far.</summary>
    public int Writes { get; private set; }

    /// <summary>Number of the write that fails; 0 for none.</summary>
    public int FailAt { get; set; }

    /// <summary>True: the failing write is applied, and only its answer is lost.</summary>
    public bool ApplyFailing { get; set; }

    public int StateValues => _state.Count;

    /// <summary>The values of one actor by name, as they are now.</summary>
    public Dictionary<string, string> StateOf(string actorType, string actorId) =>
        _state.Where(value => value.Key.StartsWith($"{actorType}/{actorId}/", StringComparison.Ordinal)).ToDictionary();

    /// <summary>Calls of other apps: verb, app and method with its query.</summary>
    public List<string> Invocations { get; } = [];

    /// <summary>What other apps answer, as JSON.</summary>
    public Func<string, string> AnswerInvocation { get; set; } = _ => "null";

    /// <summary>Takes the turn of another actor, given its id and the method, in its place: what it answers, as JSON.</summary>
    public Func<string, string, string> AnswerTurn { get; set; } = (_, _) => "null";

    /// <summary>Sees the id, the method and the argument of such a turn.</summary>
    public Action<string, string, string> SeeTurn { get; set; } = (_, _, _) => { };

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        // /v1.0/actors/{type}/{id}/{state|reminders}[/{key}]
        var parts = request.RequestUri!.AbsolutePath.Split('/', StringSplitOptions.RemoveEmptyEntries).Select(Uri.UnescapeDataString).ToArray();
        if (parts[1] == "invoke")
        {
            var call = $"{request.Method} {parts[2]} {string.Join('/', parts[4..])}{request.RequestUri.Query}";
            Invocations.Add(call);
            return new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(AnswerInvocation(call), Encoding.UTF8, "application/json") };
        }

        var actor = $"{parts[2]}/{parts[3]}";
        if (request.Method == HttpMethod.Get)
        {
            Reads.Add($"{actor}/{parts[5]}");
            return _state.TryGetValue($"{actor}/{parts[5]}", out var value)
                ? new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(value, Encoding.UTF8, "application/json") }
                : new HttpResponseMessage(HttpStatusCode.NoContent);
        }

        if (parts[4] == "method")
        {
            SeeTurn(parts[3], parts[5], request.Content is null ? "" : await request.Content.ReadAsStringAsync(cancellationToken));
            return new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(AnswerTurn(parts[3], parts[5])) };
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
