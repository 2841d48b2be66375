/** Looks for vocabularies where people have them. What is looked into, and what is read there, is bounded. */
package jdiffusion.model.tokenizer.places;
