using System.Text.Json.Nodes;

namespace Platform.Functions.Hosting;

/// <summary>A trigger or an output of a function; knows how it is written into <c>function.json</c>.</summary>
public abstract class BindingAttribute : Attribute
{
    /// <summary>The binding's <c>type</c>, for example <c>queueTrigger</c>.</summary>
    internal abstract string BindingType { get; }

    /// <summary>Adds the properties that only this kind of binding has.</summary>
    internal virtual void Describe(JsonObject binding)
    {
    }
}

/// <summary>What makes a function run. Exactly one parameter of a function carries one.</summary>
public abstract class TriggerAttribute : BindingAttribute;

/// <summary>Where a return value goes. On a method: the whole value. On a property of the returned type: that property.</summary>
public abstract class OutputAttribute : BindingAttribute;
