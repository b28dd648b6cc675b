using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Platform.DataPlane.ObjectStorage;
using Platform.Jobs;

namespace Platform.Worker.Jobs;

/// <summary>The items of a batch job.</summary>
/// <param name="Lines">One per item: a prompt, or a JSON object with a <c>prompt</c>.</param>
/// <param name="AreObjects">True if the lines came from an object, where a line that begins with a brace is JSON; false if they are prompts as they are.</param>
/// <param name="Version">Changes when the input does.</param>
internal sealed record BatchInput(IReadOnlyList<string> Lines, bool AreObjects, string Version)
{
    /// <summary>Reads the input that the spec names. Empty lines of an object are no items.</summary>
    /// <exception cref="JobFailedException">It is not there, or too long.</exception>
    public static async Task<BatchInput> ReadAsync(JobSpec spec, IObjectStorage storage, long maxBytes, CancellationToken cancellationToken)
    {
        if (spec.Prompts is { } prompts)
        {
            var hash = SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', prompts)));
            return new BatchInput(prompts, false, Convert.ToHexStringLower(hash));
        }

        var key = spec.Input!;
        var info = await storage.HeadAsync(key, cancellationToken)
            ?? throw new JobFailedException(new MissingObjects([key], storage.Name).ToFailure());
        if (info.LengthBytes > maxBytes)
        {
            throw Refuse(ErrorCodes.InvalidRequest, $"The input '{key}' has {info.LengthBytes} bytes; expected at most {maxBytes}. Split it into several jobs.");
        }

        var bytes = new byte[info.LengthBytes];
        await storage.ReadAsync(key, 0, bytes, info.ETag, cancellationToken);
        var lines = Encoding.UTF8.GetString(bytes).Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return lines.Length > 0
            ? new BatchInput(lines, true, info.ETag)
            : throw Refuse(ErrorCodes.InvalidRequest, $"The input '{key}' has no line; expected one prompt per line.");
    }

    /// <summary>The item at <paramref name="index"/>.</summary>
    /// <exception cref="JsonException">Its line begins like JSON and is not an object with a prompt.</exception>
    public PromptLine ItemAt(int index)
    {
        var line = Lines[index];
        if (!AreObjects || line[0] != '{')
        {
            return new PromptLine { Prompt = line };
        }

        return JsonSerializer.Deserialize(line, BatchJson.Default.PromptLine) is { Prompt: not null } item
            ? item
            : throw new JsonException("the object has no member 'prompt'.");
    }

    private static JobFailedException Refuse(string code, string message) => new(new JobFailure(code, message, false));
}
