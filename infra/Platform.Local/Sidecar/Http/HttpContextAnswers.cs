namespace Platform.Local.Sidecar.Http;

/// <summary>The few shapes of answer that the API has.</summary>
internal static class HttpContextAnswers
{
    public static Task AnswerNothingAsync(this HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    public static Task AnswerJsonAsync(this HttpContext context, int status, ReadOnlyMemory<byte> json)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = json.Length;
        return context.Response.BodyWriter.WriteAsync(json, context.RequestAborted).AsTask();
    }
}
