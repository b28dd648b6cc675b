using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using Platform.Local.FunctionsHost.Queues;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary><c>platform queue</c>: looks into the embedded queues of a running host and fills them.</summary>
internal static class QueueVerb
{
    public static Command Create() => new("queue", "Look into the embedded queues, and fill them.") { List(), Put(), Fill(), Peek(), Depth(), Clear(), Poison() };

    private static Command List()
    {
        var verb = ExampleHelp.Add(new Command("ls", "List the queues with their messages.") { CommonOptions.Json }, "platform queue ls");
        verb.SetAction((command, cancellationToken) => ListAsync(command, _ => true, cancellationToken));
        return verb;
    }

    private static Command Put()
    {
        var name = NameArgument();
        var text = new Argument<string?>("text") { Description = "The message; standard input if it is left out", Arity = ArgumentArity.ZeroOrOne };
        var file = new Option<FileInfo?>("--file", "-f") { Description = "A file that is the message" };
        var verb = ExampleHelp.Add(new Command("put", "Send one message; done when it is durable.") { name, text, file, CommonOptions.Json }, "platform queue put orders '{\"id\":7}'", "platform queue put orders --file order.json");
        verb.SetAction(async (command, cancellationToken) =>
        {
            await using var body = command.GetValue(text) is { } message ? new MemoryStream(Encoding.UTF8.GetBytes(message)) : Open(command.GetValue(file));
            return await SendAsync(command, $"queues/{Name(command.GetValue(name))}", body, cancellationToken);
        });
        return verb;
    }

    private static Command Fill()
    {
        var name = NameArgument();
        var file = new Argument<FileInfo?>("file") { Description = "Lines, one message each, for example JSONL; standard input if it is left out", Arity = ArgumentArity.ZeroOrOne };
        var verb = ExampleHelp.Add(new Command("fill", "Send each line as a message; done when all are durable.") { name, file, CommonOptions.Json }, "platform queue fill orders orders.jsonl", "seq 1000 | platform queue fill numbers");
        verb.SetAction(async (command, cancellationToken) =>
        {
            await using var body = Open(command.GetValue(file));
            return await SendAsync(command, $"queues/{Name(command.GetValue(name))}?lines=true", body, cancellationToken);
        });
        return verb;
    }

    private static Command Peek()
    {
        var name = NameArgument();
        var count = new Option<int>("--count", "-n") { Description = "Messages at most", DefaultValueFactory = _ => 10 };
        var verb = ExampleHelp.Add(new Command("peek", "Show the first messages without taking them.") { name, count, CommonOptions.Json }, "platform queue peek orders -n 3");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var queue = (await client.CallAdminAsync(HttpMethod.Get, $"queues/{Name(command.GetValue(name))}?count={command.GetValue(count)}", null, cancellationToken))!;
            if (command.GetValue(CommonOptions.Json))
            {
                Console.WriteLine(queue.ToJsonString());
                return ExitCodes.Done;
            }

            var table = new Table().RoundedBorder().AddColumns("inserted", "taken", "visible from", "text");
            foreach (var message in queue["first"]!.AsArray())
            {
                table.AddRow($"{message!["insertionTime"]!.GetValue<DateTimeOffset>():u}", $"{message["dequeueCount"]}", $"{message["nextVisibleTime"]!.GetValue<DateTimeOffset>():u}", Markup.Escape(message["text"]!.ToString()));
            }

            AnsiConsole.Write(table);
            return ExitCodes.Done;
        });
        return verb;
    }

    private static Command Depth()
    {
        var name = NameArgument();
        var verb = ExampleHelp.Add(new Command("depth", "Print how many messages a queue holds, taken ones included.") { name, CommonOptions.Json }, "platform queue depth orders");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var wanted = Name(command.GetValue(name));
            var queue = (await ReadAsync(client, cancellationToken)).FirstOrDefault(each => each!["name"]!.ToString() == wanted);
            Console.WriteLine(command.GetValue(CommonOptions.Json) ? (queue ?? new JsonObject { ["name"] = wanted, ["messages"] = 0, ["visible"] = 0 }).ToJsonString() : queue?["messages"]?.ToString() ?? "0");
            return ExitCodes.Done;
        });
        return verb;
    }

    private static Command Clear()
    {
        var name = NameArgument();
        var verb = ExampleHelp.Add(new Command("clear", "Remove every message of a queue.") { name }, "platform queue clear orders");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            await client.CallAdminAsync(HttpMethod.Delete, $"queues/{Name(command.GetValue(name))}", null, cancellationToken);
            return ExitCodes.Done;
        });
        return verb;
    }

    private static Command Poison()
    {
        var list = ExampleHelp.Add(new Command("ls", "List the poison queues with their messages.") { CommonOptions.Json }, "platform queue poison ls");
        list.SetAction((command, cancellationToken) => ListAsync(command, name => name.EndsWith(QueueListener.PoisonSuffix, StringComparison.Ordinal), cancellationToken));

        var name = NameArgument();
        var replay = ExampleHelp.Add(new Command("replay", "Send the poison messages of a queue through it again.") { name, CommonOptions.Json }, "platform queue poison replay orders");
        replay.SetAction((command, cancellationToken) =>
        {
            var queue = Name(command.GetValue(name));
            queue = queue.EndsWith(QueueListener.PoisonSuffix, StringComparison.Ordinal) ? queue[..^QueueListener.PoisonSuffix.Length] : queue;
            return SendAsync(command, $"queues/{queue}/replay", Stream.Null, cancellationToken);
        });
        return new Command("poison", "Messages that failed too often.") { list, replay };
    }

    private static Argument<string> NameArgument() => new("queue") { Description = "Name of the queue" };

    private static string Name(string? name) => name is not null && QueueProviders.IsName(name)
        ? name
        : throw new PlatformException($"'{name}' is no queue name; expected 3 to 63 of a-z 0-9 -, no hyphen at the ends, no two in a row.", ExitCodes.Usage);

    private static Stream Open(FileInfo? file)
    {
        try
        {
            return file is null ? Console.OpenStandardInput() : file.OpenRead();
        }
        catch (IOException error)
        {
            throw new PlatformException($"{file} cannot be read: {error.Message}", error);
        }
    }

    private static async Task<int> SendAsync(ParseResult command, string path, Stream body, CancellationToken cancellationToken)
    {
        using var client = CommonOptions.Connect(command);
        var answer = (await client.CallAdminAsync(HttpMethod.Post, path, body, cancellationToken))!;
        Console.WriteLine(command.GetValue(CommonOptions.Json) ? answer.ToJsonString() : $"{answer["sent"]} sent; {answer["name"]} holds {answer["messages"]}.");
        return ExitCodes.Done;
    }

    private static async Task<int> ListAsync(ParseResult command, Func<string, bool> filter, CancellationToken cancellationToken)
    {
        using var client = CommonOptions.Connect(command);
        var queues = (await ReadAsync(client, cancellationToken)).Where(queue => filter(queue!["name"]!.ToString())).ToList();
        if (command.GetValue(CommonOptions.Json))
        {
            Console.WriteLine($"[{string.Join(',', queues.Select(queue => queue!.ToJsonString()))}]");
            return ExitCodes.Done;
        }

        var table = new Table().RoundedBorder().AddColumns("queue", "messages", "visible");
        foreach (var queue in queues)
        {
            table.AddRow(queue!["name"]!.ToString(), queue["messages"]!.ToString(), queue["visible"]!.ToString());
        }

        AnsiConsole.Write(table);
        return ExitCodes.Done;
    }

    private static async Task<JsonArray> ReadAsync(PlatformClient client, CancellationToken cancellationToken) =>
        (await client.CallAdminAsync(HttpMethod.Get, "queues", null, cancellationToken))!.AsArray();
}
